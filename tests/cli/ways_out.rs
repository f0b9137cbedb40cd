//! Networks in which machines reach the internet, and those in which they do not.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

/// A VPC with one subnet, and nothing that leads out of it.
struct Vpc<'a> {
    account: &'a Account,
    id: String,
    subnet: String,
    table: String,
}

impl<'a> Vpc<'a> {
    fn new(account: &'a Account) -> Self {
        let vpc = account.ec2("create_vpc", json!({"CidrBlock": "10.9.0.0/16"}));
        let id = text(&vpc["Vpc"]["VpcId"]).to_owned();
        let subnet = account.ec2(
            "create_subnet",
            json!({"VpcId": id, "CidrBlock": "10.9.1.0/24", "AvailabilityZone": "eu-west-2b"}),
        );
        let subnet = text(&subnet["Subnet"]["SubnetId"]).to_owned();
        let tables = account.ec2(
            "describe_route_tables",
            json!({"Filters": [{"Name": "vpc-id", "Values": [id]}]}),
        );
        let table = text(&tables["RouteTables"][0]["RouteTableId"]).to_owned();
        Self {
            account,
            id,
            subnet,
            table,
        }
    }

    fn route(&self, destination: &str, to: &str, target: &str) {
        self.account.ec2(
            "create_route",
            json!({"RouteTableId": self.table, "DestinationCidrBlock": destination, to: target}),
        );
    }

    fn internet_gateway(&self) -> String {
        let gateway = self.account.ec2("create_internet_gateway", json!({}));
        let gateway = text(&gateway["InternetGateway"]["InternetGatewayId"]).to_owned();
        self.account.ec2(
            "attach_internet_gateway",
            json!({"InternetGatewayId": gateway, "VpcId": self.id}),
        );
        gateway
    }

    fn nat_gateway(&self) -> String {
        let gateway = json!({"SubnetId": self.subnet, "ConnectivityType": "private"});
        let gateway = self.account.ec2("create_nat_gateway", gateway);
        text(&gateway["NatGateway"]["NatGatewayId"]).to_owned()
    }

    fn start(&self, more: &str) -> crate::sandbox::Run {
        let line = format!(
            "start --vm-type t3.micro --machine-group-name g --subnet-id {} {more}",
            self.subnet
        );
        self.account
            .run(&line)
            .ignoring_the_rest("its callers look at what they need")
    }
}

fn give_public_addresses(account: &Account, subnet: &str, gives: bool) {
    account.ec2(
        "modify_subnet_attribute",
        json!({"SubnetId": subnet, "MapPublicIpOnLaunch": {"Value": gives}}),
    );
}

/// The default subnets, by their zones.
fn default_subnets(account: &Account) -> Vec<String> {
    let filter = json!({"Filters": [{"Name": "default-for-az", "Values": ["true"]}]});
    let subnets = list(&account.ec2("describe_subnets", filter)["Subnets"]);
    let mut subnets: Vec<(&str, &str)> = subnets
        .iter()
        .map(|s| (text(&s["AvailabilityZone"]), text(&s["SubnetId"])))
        .collect();
    subnets.sort_unstable();
    subnets.iter().map(|(_, id)| (*id).to_owned()).collect()
}

fn assert_nothing_is_left(account: &Account) {
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
    assert_eq!(account.calls("CreateSecurityGroup"), 0);
}

#[test]
fn a_subnet_without_a_default_route_is_refused_before_anything_is_made() {
    let account = Account::new();
    let vpc = Vpc::new(&account);
    vpc.start("").fails(1, str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2b: its route table [ROUTES] has no default route
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
    assert_nothing_is_left(&account);
    let check = account
        .run(&format!(
            "check --vm-type t3.micro --subnet-id {}",
            vpc.subnet
        ))
        .ignoring_the_rest("that the network fails is what counts");
    assert_eq!(check.code, 1);
    assert!(
        check.stdout.contains("failed   network"),
        "{}",
        check.stdout
    );
    vpc.start("--allow-no-internet").ends(0, str![[r#"
machine group g
cost: about 0.0182 USD an hour, 0.44 a day (machines 0.0118, disks 0.0064, addresses 0.0000); at most 0.1082 an hour, with surplus CPU credits
warning: machines may not reach the internet from [SUBNET]: its route table [ROUTES] has no default route
launched [ID]

"#]]);
    assert_eq!(account.launched(), 1);
}

#[test]
fn an_internet_gateway_is_a_way_out_for_machines_with_a_public_address() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let vpc = Vpc::new(&account);
    vpc.route("0.0.0.0/0", "GatewayId", &vpc.internet_gateway());
    vpc.start("").fails(1, str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2b: its default route is an internet gateway ([ROUTES]), and its machines get no public address
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
    assert_nothing_is_left(&account);
    // It would have waited for a machine that nobody hears of.
    let waited = vpc.start("--allow-no-internet --wait --timeout 1m -q");
    assert_eq!(waited.code, 6, "{}", waited.stderr);
    assert_eq!(
        account
            .run("terminate g -y")
            .ignoring_the_rest("a step on the way: that it succeeds is enough")
            .code,
        0
    );
    account.settle();
    give_public_addresses(&account, &vpc.subnet, true);
    let waited = vpc.start("--wait -q");
    assert_eq!(waited.code, 0, "{}", waited.stderr);
}

#[test]
fn a_nat_gateway_is_a_way_out_until_it_is_gone() {
    let account = Account::new();
    let vpc = Vpc::new(&account);
    let nat = vpc.nat_gateway();
    vpc.route("0.0.0.0/0", "NatGatewayId", &nat);
    vpc.start("").ends(
        0,
        str![[r#"
machine group g
cost: about 0.0182 USD an hour, 0.44 a day (machines 0.0118, disks 0.0064, addresses 0.0000); at most 0.1082 an hour, with surplus CPU credits
launched [ID]

"#]],
    );
    account.ec2("delete_nat_gateway", json!({"NatGatewayId": nat}));
    let run = vpc.start("-n 2 -q");
    run.fails(1, str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2b: its route table [ROUTES] has no default route
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
}

#[test]
fn routes_to_some_networks_are_a_warning() {
    let account = Account::new();
    let vpc = Vpc::new(&account);
    vpc.route("10.0.0.0/8", "NatGatewayId", &vpc.nat_gateway());
    vpc.start("").ends(0, str![[r#"
machine group g
cost: about 0.0182 USD an hour, 0.44 a day (machines 0.0118, disks 0.0064, addresses 0.0000); at most 0.1082 an hour, with surplus CPU credits
warning: machines may not reach the internet from [SUBNET]: its route table [ROUTES] has no default route for IPv4, only routes to some networks
launched [ID]

"#]]);
}

#[test]
fn a_way_out_for_ipv6_alone_is_a_warning_where_machines_have_such_addresses() {
    let account = Account::new();
    let vpc = Vpc::new(&account);
    let gateway = account.ec2(
        "create_egress_only_internet_gateway",
        json!({"VpcId": vpc.id}),
    );
    let gateway = &gateway["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"];
    let route = json!({"RouteTableId": vpc.table, "DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": gateway});
    account.ec2("create_route", route);
    let run = vpc.start("-q");
    run.fails(1, str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2b: its route table [ROUTES] has no default route
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
    account.ec2(
        "modify_subnet_attribute",
        json!({"SubnetId": vpc.subnet, "AssignIpv6AddressOnCreation": {"Value": true}}),
    );
    let run = vpc.start("-q");
    run.ends(0, str![[r#"
warning: machines may not reach the internet from [SUBNET]: its route table [ROUTES] has a way out for IPv6 only

"#]]);
}

#[test]
fn default_subnets_that_give_no_public_addresses() {
    let account = Account::new();
    for subnet in default_subnets(&account) {
        give_public_addresses(&account, &subnet, false);
    }
    let run = account.run("start --vm-type t3.micro --machine-group-name g -q");
    run.fails(1, str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2a: its default route is an internet gateway ([ROUTES]), and its machines get no public address; [SUBNET] in eu-west-2b: its default route is an internet gateway ([ROUTES]), and its machines get no public address; [SUBNET] in eu-west-2c: its default route is an internet gateway ([ROUTES]), and its machines get no public address
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
    assert_nothing_is_left(&account);
}

#[test]
fn a_default_subnet_without_a_way_out_is_left_out_of_the_walk() {
    let account = Account::new();
    let subnets = default_subnets(&account);
    give_public_addresses(&account, &subnets[0], false);
    account.put(
        "capacity",
        json!({"rules": [{"zone": "eu-west-2b", "available": 0}]}),
    );
    account.json("start --vm-type t3.micro --machine-group-name g -n 2");
    let asked: Vec<Value> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "RunInstances")
        .map(|r| r["params"]["Placement.AvailabilityZone"].clone())
        .collect();
    assert_eq!(asked, ["eu-west-2b", "eu-west-2c"]);
    let plan = account.run("start --vm-type t3.micro --machine-group-name h --dry-run -q");
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let run = account
        .run("start --vm-type t3.micro --machine-group-name h --availability-zone eu-west-2a -q")
        .ignoring_the_rest("how it ends is what counts");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(account.launched(), 2);
    // Only one is left.
    give_public_addresses(&account, &subnets[1], false);
    account.json("start --vm-type t3.micro --machine-group-name h");
    assert_eq!(account.launched(), 3);
}

#[test]
fn vpc_block_public_access_shuts_internet_gateways() {
    for mode in ["block-bidirectional", "block-ingress"] {
        let account = Account::new();
        account.put("traits", json!({"block_public_access": mode}));
        let line = "start --vm-type t3.micro --machine-group-name g -q";
        let run = account.run(line);
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(
            run.stderr.contains("VPC Block Public Access"),
            "{}",
            run.stderr
        );
        assert_nothing_is_left(&account);
        let subnet = default_subnets(&account)[1].clone();
        account.put("traits", json!({"excluded_subnets": [subnet]}));
        let run = account
            .run(line)
            .ignoring_the_rest("where the machine is launched is what counts");
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(account.instances()[0]["SubnetId"], subnet);
    }
}

#[test]
fn who_may_not_see_the_routes_is_warned_once() {
    let account = Account::new();
    account.put("policy", json!({"deny": ["ec2:DescribeRouteTables"]}));
    let run = account
        .run("start --vm-type t3.micro --machine-group-name g")
        .ignoring_the_rest("the warning is what counts");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        run.stderr
            .matches("may not ec2:DescribeRouteTables")
            .count(),
        1
    );
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{}", run.stderr);
    let check = account.json("check --vm-type t3.micro --machine-group-name g -n 2");
    let checks = list(&check["checks"]);
    let warned = checks.iter().filter(|c| c["status"] == "warning");
    assert_eq!(warned.count(), 1);
}

#[test]
fn check_counts_the_free_addresses() {
    let account = Account::new();
    let subnets = default_subnets(&account);
    for (subnet, free) in subnets.iter().zip([1, 3, 2]) {
        account.put("free_addresses", json!({subnet: free}));
    }
    let line = "check --vm-type t3.micro --machine-group-name g -q";
    for (more, code) in [
        ("-n 3", 0),
        ("-n 4", 5),
        ("-n 4 --min-machines 2", 0),
        ("-n 2 --availability-zone eu-west-2a", 5),
    ] {
        let run = account
            .run(&format!("{line} {more}"))
            .ignoring_the_rest("how it ends is what counts");
        assert_eq!(run.code, code, "{more}: {}", run.stderr);
    }
    let subnet = format!("--subnet-id {} -n 2", subnets[0]);
    let run = account
        .run(&format!("{line} {subnet}"))
        .ignoring_the_rest("how it ends is what counts");
    assert_eq!(run.code, 5, "{}", run.stderr);
    account
        .run(&format!(
            "start --vm-type t3.micro --machine-group-name g {subnet}"
        ))
        .fails(5, str![[r#"
machine group g
cost: about 0.0463 USD an hour, 1.11 a day (machines 0.0236, disks 0.0127, addresses 0.0100); at most 0.2263 an hour, with surplus CPU credits
no on-demand t3.micro in [SUBNET]: InsufficientFreeAddressesInSubnet
error: cannot launch t3.micro: There are not enough free addresses in subnet '[SUBNET]' to satisfy the requested number of instances (InsufficientFreeAddressesInSubnet, request [UUID])
hint: name another subnet with --subnet-id (one with more free addresses, or in another zone), fewer --num-machines, another --vm-type, or try again later

"#]]);
}
