//! Images that may be taken, and why images may not show.

use aws_sdk_ec2::{
    primitives::{DateTime, DateTimeFormat},
    types,
};

use super::{
    Aws,
    errors::{code, failure},
    filter,
};
use crate::{
    error::{Failure, Result},
    model::{
        image::{self, CANONICAL, Image, ImageDisk, ImageState},
        prepared_image::NAME_PREFIX,
        request::Request,
    },
    values::VmType,
};

impl Aws {
    /// The image that was named, or those from which the standard one is chosen.
    pub async fn images(&self, request: &Request) -> Result<Vec<Image>> {
        let mut owners: Vec<&str> = image::canonical(&self.region).into_iter().collect();
        let may_have_gpu = request.vm_types().any(VmType::may_have_gpu);
        owners.extend(may_have_gpu.then_some("amazon"));
        if request.image_id.is_none() && owners.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.ec2.describe_images();
        let call = if let Some(id) = &request.image_id {
            call.image_ids(id)
        } else {
            // Prepared images come with the same call. They are asked for even if this
            // start is to use none: a launch that it completes may have used one.
            owners.push("self");
            let mut names = vec![
                format!("{}*", image::UBUNTU_IMAGE),
                format!("{NAME_PREFIX}*"),
            ];
            if may_have_gpu {
                names.push(format!("{}*", image::GPU_IMAGE));
            }
            let owners = owners.into_iter().map(str::to_owned).collect();
            call.set_owners(Some(owners))
                .filters(filter("name", names.iter().map(String::as_str)))
                .filters(filter("architecture", ["x86_64"]))
                .filters(filter("state", ["available"]))
        };
        let what = "cannot look up the image";
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("InvalidAMIID.NotFound") => {
                let failure = failure(&error, what, &self.region);
                return Err(self.unless_hidden(failure).await);
            }
            Err(error) => return Err(failure(&error, what, &self.region)),
        };
        let images = answer.images.unwrap_or_default().into_iter();
        let images: Vec<Image> = images.map(image).collect();
        if images.iter().all(|i| i.name.starts_with(NAME_PREFIX)) {
            let none = Failure::failed(format!("{} shows no image that may serve", self.region))
                .hint("name an image of that region with --image-id");
            return Err(self.unless_hidden(none).await);
        }
        Ok(images)
    }

    /// The images of these ids. Those that EC2 does not show are left out.
    pub async fn images_by_id(&self, ids: &[&str]) -> Result<Vec<Image>> {
        let mut images = Vec::new();
        // At most 200 values (EC2 API reference, "Filter").
        for ids in ids.chunks(200) {
            let call = self.ec2.describe_images();
            let answer = call.filters(filter("image-id", ids.iter().copied()));
            let answer = answer.send().await.map_err(|error| {
                failure(
                    &error,
                    "cannot look up the images of machines",
                    &self.region,
                )
            })?;
            images.extend(answer.images.unwrap_or_default().into_iter().map(image));
        }
        Ok(images)
    }

    /// The failure to find an image, or that the account hides images.
    async fn unless_hidden(&self, failure: Failure) -> Failure {
        let settings = self.ec2.get_allowed_images_settings().send().await;
        let hides = settings.is_ok_and(|settings| settings.state.as_deref() == Some("enabled"));
        if !hides {
            return failure;
        }
        let owner = image::canonical(&self.region).unwrap_or(CANONICAL);
        Failure::failed(format!(
            "{}: the account hides images that are not on its list of Allowed AMIs",
            failure.message
        ))
        .hint(format!(
            "have the image's owner put on that list (Canonical is {owner}; EC2 console, Allowed AMIs), or name an image that it allows with --image-id"
        ))
    }
}

pub(super) fn image(image: types::Image) -> Image {
    let state = match image.state {
        Some(types::ImageState::Available) => ImageState::Available,
        Some(types::ImageState::Pending | types::ImageState::Transient) | None => {
            ImageState::Pending
        }
        // `failed`, `error`, `invalid`, `disabled`, and whatever comes later.
        Some(_) => ImageState::Failed,
    };
    let tags = image.tags.unwrap_or_default().into_iter();
    let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
    let creation_date = image.creation_date.unwrap_or_default();
    let created_at = DateTime::from_str(&creation_date, DateTimeFormat::DateTime);
    let root_device = image.root_device_name.unwrap_or_else(|| "/dev/sda1".into());
    // Mappings without `Ebs` are disks of the host.
    let disk = |mapping: types::BlockDeviceMapping| {
        let size_gib = mapping
            .ebs?
            .volume_size
            .and_then(|gib| u32::try_from(gib).ok());
        Some(ImageDisk {
            device: mapping.device_name?,
            size_gib: size_gib.unwrap_or(1),
        })
    };
    let mappings = image.block_device_mappings.unwrap_or_default();
    let snapshot_ids = mappings
        .iter()
        .filter_map(|mapping| mapping.ebs.as_ref()?.snapshot_id.clone())
        .collect();
    let (root, other_disks): (Vec<ImageDisk>, Vec<ImageDisk>) = mappings
        .into_iter()
        .filter_map(disk)
        .partition(|disk| disk.device == root_device);
    let snapshot_gib = root.first().map_or(1, |disk| disk.size_gib);
    Image {
        id: image.image_id.unwrap_or_default(),
        name: image.name.unwrap_or_default(),
        owner: image.owner_id.unwrap_or_default(),
        owner_alias: image.image_owner_alias,
        creation_date,
        created_at: created_at.ok().and_then(|at| at.try_into().ok()),
        state,
        tags: tags.collect(),
        snapshot_ids,
        is_of_marketplace: image.product_codes.is_some_and(|codes| !codes.is_empty()),
        architecture: image
            .architecture
            .map_or(String::new(), |a| a.as_str().to_owned()),
        root_device,
        snapshot_gib,
        other_disks,
        // EC2 says `windows`, while its API model says `Windows`.
        is_windows: image
            .platform
            .is_some_and(|platform| platform.as_str().eq_ignore_ascii_case("windows")),
        platform_details: image.platform_details.unwrap_or_default(),
    }
}
