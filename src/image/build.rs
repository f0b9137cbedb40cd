//! `image build`: makes an image with one builder, and leaves nothing of the builder.

use std::cell::Cell;

use super::{
    builder::{self, Builder, LOOK_AGAIN_AFTER},
    cost::{gib, monthly, usd_per_month},
    leftovers::{self, builder_may_be_running},
    making::{Expected, Making},
    user_data::user_data,
};
use crate::{
    aws::{Aws, Identity, pricing::Worth},
    error::{Failure, Kind, Result},
    model::{
        image::{Image, ImageState},
        network::security_group_name,
        place::Candidate,
        prepared_image::{builder_tags, layout, tags},
        request::Request,
        system::System,
        visibility::VISIBLE_WITHIN,
        vm_type::VmTypeFacts,
    },
    plan::{
        choices::SecurityGroupChoice,
        cost::{Cost, rounded},
        decision::{self, Plan},
        facts::Facts,
        known::Known,
        launch_plan::LaunchPlan,
        parts::Parts,
        prices::Prices,
    },
    terminal::{command_line::command, interrupt::Interrupt, output::Output},
};

/// The image that was made.
pub struct Built {
    pub image: Image,
    /// The standard image that it was made from.
    pub base: Image,
    pub builder_id: String,
    pub account: String,
    /// The GiB of its snapshots that are paid for, at most.
    pub gib: Option<f64>,
    pub usd_per_month: Option<f64>,
    pub seconds: u64,
}

pub struct Build<'a> {
    pub aws: &'a Aws,
    /// The request for the builder: one machine without a group or a key.
    pub request: &'a Request,
    pub expected_account: Option<&'a str>,
    pub interrupt: &'a Interrupt,
    pub out: Output,
}

/// What a build's plan is made from.
struct Looked {
    identity: Identity,
    facts: Facts,
    prices: Prices,
    snapshot_price: Known<f64>,
}

impl Build<'_> {
    /// Makes an image.
    ///
    /// # Errors
    /// Whatever failed. Nothing is left then but what the failure names.
    pub async fn run(&self) -> Result<Built> {
        let (aws, request) = (self.aws, self.request);
        let looked = self.interrupt.or(self.look(), builder::INTERRUPTED);
        let looked = Box::pin(looked).await?;
        let Plan::Launch(plan) = decision::plan(request, &looked.facts, None)? else {
            return Err(Failure::failed("there is no launch to plan"));
        };
        Box::pin(leftovers::clear(aws, self.out)).await;
        self.say_plan(&plan, &looked);
        let security_group_id = match &plan.security_group {
            SecurityGroupChoice::Existing(id) => id.clone(),
            SecurityGroupChoice::New { name, vpc_id } => {
                aws.create_security_group(name, vpc_id, None).await?
            }
        };
        let began = aws.time.instant();
        let builder = Builder {
            aws,
            request,
            interrupt: self.interrupt,
            out: self.out,
        };
        let user_data = user_data(request, looked.facts.vm_type.gpu.is_some())?;
        let candidate = Candidate {
            place: plan.first_place.clone(),
            ..request.first_choice()
        };
        let machine_tags = builder_tags();
        let launch = builder::launch(
            request,
            &plan,
            &candidate,
            &security_group_id,
            &machine_tags,
            &user_data,
        );
        let machine = Box::pin(builder.launch(launch)).await?;
        let id = &machine.instance_id;
        self.interrupt.launched([id]);
        self.out
            .say(&format!("launched {id}, which prepares the image"));
        let has_begun = Cell::new(false);
        let made = match Box::pin(self.made(&builder, id, &plan, &has_begun)).await {
            Ok(image) => image,
            Err(failure) => {
                return Err(Box::pin(self.undo(id, has_begun.get(), failure)).await);
            }
        };
        self.out.say(&format!("made {}", made.id));
        if let Err(why) = self.terminate(id).await {
            let done = Failure::failed(format!("the image {} is there and can be used", made.id));
            return Err(builder_may_be_running(done, id, &why));
        }
        // Nothing depends on this look, and an interruption would have nothing to undo.
        let looking = self
            .interrupt
            .or(aws.prepared_snapshots(), builder::INTERRUPTED);
        let snapshots = Box::pin(looking).await;
        let gib = gib(&made, &snapshots.unwrap_or_default());
        Ok(Built {
            gib,
            usd_per_month: usd_per_month(gib, &looked.snapshot_price),
            image: made,
            base: plan.image,
            builder_id: id.clone(),
            account: looked.identity.account,
            seconds: aws.time.instant().duration_since(began).as_secs(),
        })
    }

    /// Looks up everything that the plan needs, at once.
    async fn look(&self) -> Result<Looked> {
        let (aws, request) = (self.aws, self.request);
        let asked_at = aws.time.now();
        let name = security_group_name(None);
        let security_groups = async {
            match request.security_group_id {
                Some(_) => Ok(Vec::new()),
                None => aws.security_groups(&name).await,
            }
        };
        let dedicated_vpcs = async {
            match request.subnet_id {
                Some(_) => aws.dedicated_vpcs().await,
                None => Ok(Vec::new()),
            }
        };
        let vm_type = request.vm_type.as_str();
        let (
            identity,
            facts,
            has_console,
            images,
            subnets,
            route_tables,
            dedicated_vpcs,
            groups,
            prices,
            snapshot,
        ) = tokio::join!(
            aws.identity(),
            aws.vm_type(&request.vm_type),
            aws.has_live_console(vm_type),
            aws.images(request),
            aws.subnets(request),
            aws.route_tables(),
            dedicated_vpcs,
            security_groups,
            aws.prices(request, System::Linux),
            aws.snapshot_price(Worth::A_LOOK),
        );
        let identity = identity?;
        self.expect_account(&identity)?;
        let vm_type: VmTypeFacts = facts?;
        if !has_console? {
            return Err(Failure::failed(format!(
                "{} has no live console, on which a machine says that it is prepared",
                request.vm_type
            ))
            .hint("choose a Nitro type with --vm-type, such as t3.small"));
        }
        Ok(Looked {
            facts: Facts {
                account: identity.account.clone(),
                region: aws.region.clone(),
                looked_at: aws.clock.at(asked_at),
                hours_offset: aws.time.hours_offset(),
                machines: Vec::new(),
                vm_type,
                other_types: Vec::new(),
                images: images?,
                subnets: subnets?,
                route_tables: route_tables.map_err(|failure| failure.message),
                dedicated_vpcs: dedicated_vpcs.map_err(|failure| failure.message),
                // A builder has neither a budget nor a group.
                most_usd_per_hour: Err("it was not looked up".into()),
                usd_once: Err("it was not looked up".into()),
                group: Ok(None),
                security_groups: groups?,
            },
            identity,
            prices,
            snapshot_price: snapshot,
        })
    }

    fn expect_account(&self, identity: &Identity) -> Result<()> {
        match self.expected_account {
            Some(expected) if expected != identity.account => Err(Failure::new(
                Kind::NotPermitted,
                format!(
                    "signed in to account {}, not to {expected} (--expect-account)",
                    identity.account
                ),
            )
            .hint("choose another --profile")),
            _ => Ok(()),
        }
    }

    /// Says what is going to be made, and what it costs.
    fn say_plan(&self, plan: &LaunchPlan, looked: &Looked) {
        let (request, out) = (self.request, self.out);
        let gib = plan.volume_gib;
        out.say(&format!(
            "an image of {} ({}) with {} and {}, layout {}, made in {} on one {} with {gib} GiB",
            plan.image.id,
            plan.image.name,
            request.runner.task_runner_image,
            request.runner.file_tracker_image,
            layout(),
            self.aws.region,
            request.vm_type,
        ));
        let machine = Cost::of(&Parts::of(request, &looked.facts, &looked.prices), 1);
        let price = looked.snapshot_price.as_ref().ok();
        let month = price.map(|price| rounded(price * f64::from(gib)));
        out.say(&format!(
            "cost: for some minutes {machine}; then the image, at most {}",
            monthly(month)
        ));
        for warning in &plan.warnings {
            out.warn(warning);
        }
    }

    /// Takes the build from a machine that boots to a complete image.
    async fn made(
        &self,
        builder: &Builder<'_>,
        id: &str,
        plan: &LaunchPlan,
        has_begun: &Cell<bool>,
    ) -> Result<Image> {
        builder.until_prepared(id).await?;
        self.out.say(&format!("{id} is prepared: stopping it"));
        builder.stop(id).await?;
        let tags = tags(&plan.image, &self.request.runner);
        let expected = Expected {
            tags: &tags,
            architecture: &plan.image.architecture,
            root_gib: plan.volume_gib,
        };
        let making = Making {
            aws: self.aws,
            interrupt: self.interrupt,
            out: self.out,
            has_begun,
        };
        making.image_of(id, &expected).await
    }

    /// Undoes a build that has failed: its image, if there is one, and its machine.
    async fn undo(&self, id: &str, has_begun: bool, failure: Failure) -> Failure {
        let failure = match self.drop_image(id, has_begun).await {
            Ok(()) => failure,
            Err(why) => Failure {
                message: format!("{}; {}", failure.message, why.message),
                hint: why.hint,
                ..failure
            },
        };
        match self.terminate(id).await {
            Ok(()) => failure,
            Err(why) => builder_may_be_running(failure, id, &why),
        }
    }

    /// Removes the image of a builder, whether it is pending or faulty. If there may be
    /// one that does not show yet, this waits for it: else it would become an image that
    /// nobody knows of.
    async fn drop_image(&self, id: &str, may_be_there: bool) -> Result<()> {
        let time = &self.aws.time;
        let until = time.instant() + VISIBLE_WITHIN;
        let shows = command("image list");
        let image = loop {
            let is_last = !may_be_there || time.instant() >= until;
            match self.aws.image_of_builder(id).await {
                Ok(Some(image)) => break image,
                Ok(None) if is_last => {
                    if may_be_there {
                        self.out.say(&format!(
                            "EC2 shows no image of {id} yet; {shows} shows whether one comes"
                        ));
                    }
                    return Ok(());
                }
                Err(why) if is_last => {
                    return Err(
                        why.hint(format!("{shows} shows whether there is an image of {id}"))
                    );
                }
                // One look is not enough: the image may still appear.
                _ => time.pause(LOOK_AGAIN_AFTER).await,
            }
        };
        self.aws.deregister_image(&image.id).await.map_err(|why| {
            let remove = command(&format!("image remove {}", image.id));
            why.hint(format!("remove what there is of the image: {remove}"))
        })?;
        // EC2 does not tell which snapshots a pending image has.
        let deleted = leftovers::delete_snapshots(self.aws, &image.snapshot_ids).await;
        if image.state == ImageState::Pending || deleted.is_err() {
            self.out.say(&format!(
                "removed {}; the snapshot that it may have left is deleted by the first image build after an hour",
                image.id
            ));
        }
        Ok(())
    }

    /// Ends the builder. The error is why that failed.
    async fn terminate(&self, id: &str) -> Result<(), String> {
        let ids = [id.to_owned()];
        let terminated = self.aws.terminate(&ids).await;
        if terminated.left(&ids).is_empty() {
            self.interrupt.ended(&ids);
            return Ok(());
        }
        // EC2 may have forgotten a builder that has ended itself.
        let why = terminated.failure.map(|failure| failure.message);
        Err(why.unwrap_or_else(|| "EC2 did not answer for it".into()))
    }
}
