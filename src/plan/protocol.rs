//! The protocol of [`crate::plan::tokens`] against a model of EC2: whatever subset of
//! the machines shows, and wherever runs die, no machine too many is launched.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;

use super::{
    decision::{LaunchId, LaunchPlan, Plan, plan},
    facts::Facts,
    tokens::Call,
};
use crate::{
    model::{
        image::{CANONICAL, Image, UBUNTU_IMAGE},
        machine::{Machine, State, TAG_LAUNCH, TAG_SETTINGS},
        network::Subnet,
        request::{Request, Runner},
        user_data::Script,
        vm_type::VmTypeFacts,
    },
    values::{Market, Volume, VolumeType},
};

/// What EC2 keeps: tokens with the bytes and the machines of their launches.
#[derive(Default)]
struct Ec2 {
    machines: Vec<Machine>,
    tokens: HashMap<String, (String, Vec<Machine>)>,
}

/// The end of a run that does not go on by itself.
enum Stop {
    Died,
    /// It would wait for machines to show.
    Waiting,
    Refused,
    Filled,
}

/// A run's luck: which machines it is shown, and after how many calls it dies.
#[derive(Clone, Debug)]
struct Luck {
    wanted: u32,
    shown: Vec<bool>,
    calls: usize,
    newer_image: bool,
}

fn luck() -> impl Strategy<Value = Luck> {
    let wanted = prop_oneof![6 => 1..4_u32, 1 => 99..103_u32, 1 => 195..320_u32];
    let shown = proptest::collection::vec(any::<bool>(), 16);
    (
        wanted,
        shown,
        prop_oneof![4 => Just(9_usize), 2 => 0..5_usize],
        any::<bool>(),
    )
        .prop_map(|(wanted, shown, calls, newer_image)| Luck {
            wanted,
            shown,
            calls,
            newer_image,
        })
}

/// A request that leaves everything to the defaults.
pub fn request(num_machines: u32) -> Request {
    Request {
        group: "g".parse().expect("a name"),
        num_machines,
        min_machines: None,
        vm_type: "t2.micro".parse().expect("a type"),
        other_types: Vec::new(),
        image_id: None,
        volume: Volume {
            size_gib: None,
            kind: VolumeType::Gp3,
            iops: None,
            throughput_mibps: None,
        },
        subnet_id: None,
        security_group_id: None,
        availability_zone: None,
        ssh_from: None,
        key_name: None,
        instance_profile: None,
        market: Market::OnDemand,
        spot_fallback: false,
        max_price: None,
        tags: Vec::new(),
        script: Script::standard(),
        runner: Runner {
            api_key: "k".into(),
            api_url: "u".into(),
            task_runner_image: Runner::TASK_RUNNER_IMAGE.into(),
            file_tracker_image: Runner::FILE_TRACKER_IMAGE.into(),
            num_machines,
            max_idle_minutes: 30,
            max_lifetime: None,
            boot_timeout: Runner::BOOT_TIMEOUT,
        },
    }
}

/// What a region without surprises answers.
pub fn facts(machines: Vec<Machine>, now: SystemTime) -> Facts {
    Facts {
        account: "123456789012".into(),
        region: "eu-west-2".into(),
        now,
        machines,
        images: vec![Image {
            id: "ami-1".into(),
            name: UBUNTU_IMAGE.into(),
            owner: CANONICAL.into(),
            owner_alias: None,
            creation_date: "2026".into(),
            architecture: "x86_64".into(),
            root_device: "/dev/sda1".into(),
            snapshot_gib: 8,
        }],
        vm_type: VmTypeFacts {
            architectures: vec!["x86_64".into()],
            vcpus: 1,
            cores: 1,
            gpu: None,
        },
        other_types: Vec::new(),
        subnets: vec![Subnet {
            id: "subnet-1".into(),
            vpc_id: "vpc-1".into(),
            zone: "eu-west-2a".into(),
            free_addresses: 4_000,
        }],
        security_groups: Vec::new(),
    }
}

const LAUNCHED: Duration = Duration::from_secs(1_000_000);

impl Ec2 {
    /// A run of `start`: as the launcher does it, but for what it waits for.
    fn run(&mut self, luck: &Luck, shown: &[Machine], now: SystemTime) -> Stop {
        let mut known = Vec::new();
        let mut calls_left = luck.calls;
        loop {
            let mut facts = facts(shown.to_vec(), now);
            facts.know(&known);
            match plan(&request(luck.wanted), &facts) {
                Err(_) => return Stop::Refused,
                Ok(Plan::Complete(_)) => return Stop::Filled,
                Ok(Plan::Settling) => return Stop::Waiting,
                Ok(Plan::Launch(launch)) => {
                    for call in &launch.calls {
                        if calls_left == 0 {
                            return Stop::Died;
                        }
                        calls_left -= 1;
                        match self.call(luck, &launch, *call) {
                            Some(machines) => known.extend(machines),
                            None => return Stop::Waiting,
                        }
                    }
                }
            }
        }
    }

    /// `RunInstances`; none for a mismatch.
    fn call(&mut self, luck: &Luck, plan: &LaunchPlan, call: Call) -> Option<Vec<Machine>> {
        let base = plan.launch.base(0);
        let candidate = request(1).first_choice();
        let tag = plan.launch_tag(base.clone(), call).to_string();
        let bytes = format!("{tag} {} {}", call.number, luck.newer_image);
        let token = base.client_token(call.index, &candidate);
        if let Some((accepted, machines)) = self.tokens.get(&token) {
            return (*accepted == bytes).then(|| machines.clone());
        }
        let first = self.machines.len();
        let machine = |n: u32| Machine {
            instance_id: format!("i-{}", first + n as usize),
            state: State::Pending,
            state_reason: None,
            vm_type: "t2.micro".into(),
            region: "eu-west-2".into(),
            availability_zone: None,
            private_ip: None,
            public_ip: None,
            market: Market::OnDemand,
            image_id: None,
            launch_time: None,
            launched_at: Some(SystemTime::UNIX_EPOCH + LAUNCHED),
            tags: vec![
                (TAG_LAUNCH.into(), tag.clone()),
                (TAG_SETTINGS.into(), "vm-type=t2.micro".into()),
            ],
        };
        let machines: Vec<Machine> = (0..call.number).map(machine).collect();
        self.machines.extend(machines.clone());
        self.tokens.insert(token, (bytes, machines.clone()));
        Some(machines)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn no_run_launches_a_machine_too_many(lucks in proptest::collection::vec(luck(), 1..9), one_number in any::<bool>()) {
        let young = SystemTime::UNIX_EPOCH + LAUNCHED + Duration::from_secs(5);
        let settled = SystemTime::UNIX_EPOCH + LAUNCHED + Duration::from_mins(2);
        let mut ec2 = Ec2::default();
        let mut most = 0;
        for mut luck in lucks.clone() {
            if one_number {
                luck.wanted = lucks[0].wanted;
            }
            most = most.max(luck.wanted as usize);
            // Machines show in any order, now and then not.
            let visible: Vec<Machine> = ec2
                .machines
                .iter()
                .enumerate()
                .filter(|(n, _)| luck.shown[n % luck.shown.len()])
                .map(|(_, machine)| machine.clone())
                .collect();
            ec2.run(&luck, &visible, young);
            prop_assert!(ec2.machines.len() <= most, "{} of {most}", ec2.machines.len());
        }
        // In the end all show, and one more run makes the group whole.
        let last = Luck { wanted: most.try_into().expect("few"), shown: vec![true], calls: usize::MAX, newer_image: false };
        let visible = ec2.machines.clone();
        let end = ec2.run(&last, &visible, settled);
        prop_assert!(ec2.machines.len() <= most);
        if matches!(end, Stop::Filled) {
            prop_assert_eq!(ec2.machines.len(), most);
        } else {
            // Only a token that was spent on other bytes keeps it from that.
            prop_assert!(matches!(end, Stop::Waiting));
            prop_assert!(lucks.iter().any(|luck| luck.newer_image));
        }
    }
}

#[test]
fn a_launch_under_way_is_resumed_under_its_own_name() {
    let now = SystemTime::UNIX_EPOCH + LAUNCHED + Duration::from_secs(5);
    let mut ec2 = Ec2::default();
    let died = Luck {
        wanted: 250,
        shown: Vec::new(),
        calls: 1,
        newer_image: false,
    };
    ec2.run(&died, &[], now);
    assert_eq!(ec2.machines.len(), 100);
    let plan = plan(&request(300), &facts(ec2.machines.clone(), now)).expect("a plan");
    let Plan::Launch(plan) = plan else {
        panic!("nothing to launch");
    };
    assert!(matches!(plan.launch, LaunchId::Resumed(_)));
    let numbers: Vec<u32> = plan.calls.iter().map(|call| call.number).collect();
    assert_eq!(numbers, [100, 50]);
    // Fewer than are under way: refused.
    assert!(crate::plan::decision::plan(&request(200), &facts(ec2.machines.clone(), now)).is_err());
    // Of a part of a call the rest is waited for, then missed.
    let part = ec2.machines[..99].to_vec();
    assert!(matches!(
        crate::plan::decision::plan(&request(250), &facts(part.clone(), now)),
        Ok(Plan::Settling)
    ));
    let later = now + Duration::from_mins(2);
    let lost = crate::plan::decision::plan(&request(250), &facts(part.clone(), later));
    assert!(lost.is_err_and(|e| e.message.contains("1 machine that EC2 does not show")));
    // An old launch of which machines are gone is topped up.
    let old = now + Duration::from_mins(11);
    let topped_up = crate::plan::decision::plan(&request(250), &facts(part, old));
    let Ok(Plan::Launch(plan)) = topped_up else {
        panic!("nothing to launch");
    };
    assert_eq!(plan.number, 151);
}
