//! `types`: what there is to choose from for `--vm-type`.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::{
    aws::{Aws, pricing::Worth},
    cli::TypesArgs,
    error::Result,
    identity,
    model::{system::System, vm_type::VmTypeFacts},
    plan::{cost::hourly, known::Known},
    settings::AwsSettings,
    terminal::{
        output::{Output, table_within},
        table::{shortening, whole},
    },
};

const MIB_PER_GIB: f64 = 1_024.0;
/// How many types one call for spot prices asks about.
const TYPES_PER_CALL: usize = 100;

/// Prints the amd64 types of the region, the cheapest first.
pub async fn run(args: &TypesArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let aws = identity::connect(settings, out).await?;
    let mut progress = out.progress();
    progress.update("looking up types".into());
    let mut types = aws.amd64_types().await?;
    let least_mib = u64::from(args.min_memory) * 1_024;
    types.retain(|facts| {
        facts.vcpus >= args.min_vcpus
            && facts.memory_mib >= least_mib
            && (!args.gpu || facts.gpu.is_some())
    });
    // For names only, no prices are needed.
    let ids_alone = out.quiet && !out.format.is_document();
    let (on_demand, spot) = if ids_alone || types.is_empty() {
        (Ok(BTreeMap::new()), Ok(BTreeMap::new()))
    } else {
        progress.update(format!("looking up the prices of {} types", types.len()));
        let names: Vec<&str> = types.iter().map(|facts| facts.name.as_str()).collect();
        tokio::join!(
            aws.on_demand_prices(&names, System::Linux, Worth::A_LIST),
            lowest_spot_prices(&aws, &names)
        )
    };
    drop(progress);
    for why in [on_demand.as_ref().err(), spot.as_ref().err()]
        .into_iter()
        .flatten()
    {
        out.warn(&format!("not all prices are known: {why}"));
    }
    let mut report = TypesReport::of(&aws.region, types, &on_demand, &spot);
    report.width = out.width();
    if report.types.is_empty() {
        out.say(&none_like_it(args, &aws.region));
    }
    let names: Vec<String> = report.types.iter().map(|t| t.vm_type.clone()).collect();
    out.result(&report, &names)
}

/// That no type has all that was asked for.
fn none_like_it(args: &TypesArgs, region: &str) -> String {
    let vcpus = (args.min_vcpus > 1).then(|| format!("{} vCPUs or more", args.min_vcpus));
    let memory =
        (args.min_memory > 0).then(|| format!("{} GiB of memory or more", args.min_memory));
    let gpu = args.gpu.then(|| "an NVIDIA GPU".to_owned());
    let asked: Vec<String> = [vcpus, memory, gpu].into_iter().flatten().collect();
    if asked.is_empty() {
        return format!("no amd64 type in {region}");
    }
    format!("no amd64 type in {region} has {}", asked.join(" and "))
}

/// The current price in each type's cheapest zone.
async fn lowest_spot_prices(aws: &Aws, names: &[&str]) -> Known<BTreeMap<String, f64>> {
    let mut lowest: BTreeMap<String, f64> = BTreeMap::new();
    for names in names.chunks(TYPES_PER_CALL) {
        for price in aws
            .spot_prices(names, None, System::Linux, Worth::A_LIST)
            .await?
        {
            let usd = lowest.entry(price.vm_type).or_insert(price.usd);
            *usd = price.usd.min(*usd);
        }
    }
    Ok(lowest)
}

#[derive(Clone, Debug, Serialize)]
struct TypesReport {
    region: String,
    /// Sorted by the on-demand price; those without one come last.
    types: Vec<TypeReport>,
    /// The width of the terminal; none where nothing is cut.
    #[serde(skip)]
    width: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct TypeReport {
    vm_type: String,
    vcpus: u32,
    /// Physical ones.
    cores: u32,
    memory_gib: f64,
    gpu: Option<GpuReport>,
    /// GB of instance store, all disks together; 0 if there is none.
    local_disks_gb: u64,
    /// Whether accounts on AWS's free plan may launch it; null where EC2 does not tell.
    free_plan: Option<bool>,
    /// On demand, with Linux, without disks and addresses; null where it is not known.
    usd_per_hour: Option<f64>,
    /// The current spot price in the cheapest zone.
    spot_usd_per_hour: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct GpuReport {
    count: u32,
    name: String,
}

impl TypesReport {
    fn of(
        region: &str,
        types: Vec<VmTypeFacts>,
        on_demand: &Known<BTreeMap<String, f64>>,
        spot: &Known<BTreeMap<String, f64>>,
    ) -> Self {
        let price = |prices: &Known<BTreeMap<String, f64>>, name: &str| {
            prices.as_ref().ok()?.get(name).copied()
        };
        let mut types: Vec<TypeReport> = types
            .into_iter()
            .map(|facts| TypeReport {
                vm_type: facts.name.to_string(),
                vcpus: facts.vcpus,
                cores: facts.cores,
                memory_gib: gib(facts.memory_mib),
                gpu: facts.gpu.map(|gpu| GpuReport {
                    count: gpu.count,
                    name: gpu.name,
                }),
                local_disks_gb: facts.local_disks_gb,
                free_plan: facts.is_free_tier_eligible,
                usd_per_hour: price(on_demand, facts.name.as_str()),
                spot_usd_per_hour: price(spot, facts.name.as_str()),
            })
            .collect();
        let order = |t: &TypeReport| t.usd_per_hour.unwrap_or(f64::INFINITY);
        types.sort_by(|a, b| {
            let by_price = order(a).total_cmp(&order(b));
            by_price.then_with(|| (a.vcpus, &a.vm_type).cmp(&(b.vcpus, &b.vm_type)))
        });
        Self {
            region: region.to_owned(),
            types,
            width: None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no machine has so much")]
fn gib(mib: u64) -> f64 {
    mib as f64 / MIB_PER_GIB
}

impl fmt::Display for TypesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing has no header either.
        if self.types.is_empty() {
            return Ok(());
        }
        let usd = |usd: Option<f64>| usd.map_or("n/a".into(), hourly);
        let rows: Vec<Vec<String>> = self
            .types
            .iter()
            .map(|t| {
                vec![
                    t.vm_type.clone(),
                    t.vcpus.to_string(),
                    t.memory_gib.to_string(),
                    usd(t.usd_per_hour),
                    usd(t.spot_usd_per_hour),
                    match t.free_plan {
                        Some(true) => "yes".into(),
                        Some(false) => "no".into(),
                        None => "n/a".into(),
                    },
                    t.gpu
                        .as_ref()
                        .map_or("-".into(), |gpu| format!("{} × {}", gpu.count, gpu.name)),
                    t.cores.to_string(),
                    match t.local_disks_gb {
                        0 => "-".into(),
                        gb => gb.to_string(),
                    },
                ]
            })
            .collect();
        // Where there is no room, the least important column goes first.
        let columns = [
            whole("TYPE"),
            whole("VCPUS"),
            whole("GIB"),
            whole("USD/H"),
            whole("SPOT USD/H"),
            whole("FREE PLAN"),
            shortening("GPU"),
            whole("CORES"),
            whole("LOCAL DISKS GB"),
        ];
        f.write_str(&table_within(self.width, &columns, &rows))
    }
}
