//! List prices that were looked up before, in the user's cache folder: they change a few
//! times a year. Spot prices are never kept. A cache that is broken, of another release,
//! or cannot be written counts as empty.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{bounds, plan::disk_prices::DiskPrices};

/// How old a price may be where nothing depends on it.
pub const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// How old a price may be under a limit or a budget.
pub const KEPT_FOR_LIMITS: Duration = Duration::from_hours(24);
/// The format that this release writes. Other formats are not read.
const FORMAT: u32 = 1;

/// A price of the Price List in USD.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    /// Of a machine or an address.
    PerHour(f64),
    /// Of stored data.
    PerGibMonth(f64),
    /// Of filling a disk at a rate, once: for each GiB and each MiB/s.
    PerGibAndMibps(f64),
    Disk(DiskPrices),
}

impl Price {
    fn is_sound(&self) -> bool {
        let is_amount = |usd: f64| usd.is_finite() && usd > 0.0;
        match self {
            Self::PerHour(usd) | Self::PerGibMonth(usd) | Self::PerGibAndMibps(usd) => {
                is_amount(*usd)
            }
            Self::Disk(DiskPrices { gib, iops, mibps }) => {
                let others = iops.iter().flatten().chain(mibps);
                is_amount(*gib) && others.copied().all(is_amount)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// When it was looked up, in seconds since 1970.
    at: u64,
    price: Price,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Contents {
    format: u32,
    prices: BTreeMap<String, Entry>,
}

/// The kept prices of one Price List and region that are young enough.
#[derive(Clone, Debug)]
pub struct PriceCache {
    file: Option<PathBuf>,
    /// What the names of its prices begin with: whose Price List, and the region.
    place: String,
    good_for: Duration,
    now: SystemTime,
}

impl PriceCache {
    /// `list` says whose Price List it is: AWS's, or one at another address.
    pub fn new(list: &str, region: &str, good_for: Duration, now: SystemTime) -> Self {
        Self::in_file(file(), list, region, good_for, now)
    }

    fn in_file(
        file: Option<PathBuf>,
        list: &str,
        region: &str,
        good_for: Duration,
        now: SystemTime,
    ) -> Self {
        Self {
            file,
            place: format!("{list} {region}"),
            good_for,
            now,
        }
    }

    /// The prices of these names that are known.
    pub fn read(&self, names: &[String]) -> BTreeMap<String, Price> {
        let known = self.contents();
        let now = seconds(self.now);
        let found = names.iter().filter_map(|name| {
            let entry = known.get(&self.full(name))?;
            let is_good = now.checked_sub(entry.at)? < self.good_for.as_secs();
            (is_good && entry.price.is_sound()).then(|| (name.clone(), entry.price.clone()))
        });
        found.collect()
    }

    /// Keeps prices, if that is possible.
    pub fn keep(&self, prices: BTreeMap<String, Price>) {
        let Some(file) = self.file.as_deref().filter(|_| !prices.is_empty()) else {
            return;
        };
        let at = seconds(self.now);
        let mut all = self.contents();
        // Old prices are of no use to anybody.
        all.retain(|_, entry| at.saturating_sub(entry.at) < KEPT_FOR.as_secs());
        let new = prices
            .into_iter()
            .map(|(name, price)| (self.full(&name), Entry { at, price }));
        all.extend(new);
        let contents = Contents {
            format: FORMAT,
            prices: all,
        };
        // A failure costs one call the next time, and nothing else.
        let _ = write(file, &contents);
    }

    fn full(&self, name: &str) -> String {
        format!("{} {name}", self.place)
    }

    fn contents(&self) -> BTreeMap<String, Entry> {
        let read = || -> Option<Contents> {
            let text = bounds::read_text(self.file.as_deref()?).ok()?;
            serde_json::from_str(&text).ok()
        };
        let contents = read().filter(|contents| contents.format == FORMAT);
        contents.map(|contents| contents.prices).unwrap_or_default()
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// A reader sees the old file or the new one, whole.
fn write(file: &Path, contents: &Contents) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(serde_json::to_string(contents)?.as_bytes())?;
    new.persist(file).map(drop).map_err(|error| error.error)
}

/// The file in the folder where the system keeps users' caches; none where that is not
/// known.
fn file() -> Option<PathBuf> {
    let folder = |name: &str| {
        let path = env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let caches = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        env::home_dir().map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")))
    };
    let caches = caches.filter(|path| path.is_absolute())?;
    Some(caches.join("inductiva-aws").join("prices.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(days: u32) -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_000) + DAY * days
    }

    struct PriceFolder(tempfile::TempDir);

    impl PriceFolder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn cache(
            &self,
            list: &str,
            region: &str,
            good_for: Duration,
            now: SystemTime,
        ) -> PriceCache {
            let file = self.0.path().join("below").join("prices.json");
            PriceCache::in_file(Some(file), list, region, good_for, now)
        }
    }

    fn one(usd: f64) -> BTreeMap<String, Price> {
        [("t2.micro".to_owned(), Price::PerHour(usd))].into()
    }

    fn read(cache: &PriceCache) -> BTreeMap<String, Price> {
        cache.read(&["t2.micro".into()])
    }

    #[test]
    fn a_price_is_good_for_a_week_and_under_a_limit_for_a_day() {
        let folder = PriceFolder::new();
        let here = |good_for, now| folder.cache("aws", "eu-west-2", good_for, now);
        here(KEPT_FOR, at(0)).keep(one(0.1));
        for (good_for, now, is_known) in [
            (KEPT_FOR, at(0), true),
            (KEPT_FOR, at(7) - Duration::from_secs(1), true),
            (KEPT_FOR, at(7), false),
            (KEPT_FOR_LIMITS, at(1) - Duration::from_secs(1), true),
            (KEPT_FOR_LIMITS, at(1), false),
            // A price from the future, by a clock that was set back, does not count.
            (KEPT_FOR, at(0) - Duration::from_secs(1), false),
        ] {
            assert_eq!(!read(&here(good_for, now)).is_empty(), is_known);
        }
        // Another price is added, and what is too old goes.
        let other = [("address".to_owned(), Price::PerHour(0.005))].into();
        here(KEPT_FOR, at(1)).keep(other);
        assert_eq!(read(&here(KEPT_FOR, at(2))), one(0.1));
        here(KEPT_FOR, at(30)).keep(one(0.2));
        assert_eq!(here(KEPT_FOR, at(30)).contents().len(), 1);
    }

    #[test]
    fn a_price_is_of_one_list_and_region() {
        let folder = PriceFolder::new();
        folder
            .cache("aws", "eu-west-2", KEPT_FOR, at(0))
            .keep(one(0.1));
        for (list, region) in [("http://127.0.0.1:4566", "eu-west-2"), ("aws", "us-east-1")] {
            let other = folder.cache(list, region, KEPT_FOR, at(0));
            assert_eq!(read(&other), BTreeMap::new(), "{list} {region}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_not_taken() {
        let folder = PriceFolder::new();
        let cache = folder.cache("aws", "eu-west-2", KEPT_FOR, at(0));
        for usd in [-1.0, 0.0] {
            cache.keep(one(usd));
            assert_eq!(read(&cache), BTreeMap::new(), "{usd}");
        }
        let file = cache.file.as_deref().expect("a file");
        cache.keep(one(0.1));
        let good = fs::read_to_string(file).expect("it was written");
        for broken in [
            String::new(),
            "[".into(),
            good.replace("\"format\":1", "\"format\":2"),
            good.replace("0.1", "null"),
            good.replace("0.1", "1e999"),
        ] {
            fs::write(file, broken).expect("it is written");
            assert_eq!(read(&cache), BTreeMap::new());
            cache.keep(one(0.1));
            assert_eq!(read(&cache), one(0.1));
        }
        // A folder that cannot be made is no error either.
        let nowhere = PriceCache::in_file(None, "aws", "eu-west-2", KEPT_FOR, at(0));
        nowhere.keep(one(0.1));
        let below_a_file = PriceCache {
            file: Some(file.join("prices.json")),
            ..cache
        };
        below_a_file.keep(one(0.1));
        assert_eq!(read(&below_a_file), BTreeMap::new());
    }

    #[test]
    fn disks_are_kept_with_all_their_prices() {
        let folder = PriceFolder::new();
        let cache = folder.cache("aws", "eu-west-2", KEPT_FOR, at(0));
        let disk = Price::Disk(DiskPrices {
            gib: 0.1,
            iops: [Some(0.06), None, Some(0.02)],
            mibps: None,
        });
        let prices: BTreeMap<String, Price> = [("disk io2".to_owned(), disk)].into();
        cache.keep(prices.clone());
        assert_eq!(cache.read(&["disk io2".into()]), prices);
    }
}
