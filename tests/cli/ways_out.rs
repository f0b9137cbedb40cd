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
        self.account.run(&line)
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
    let check = account.run(&format!(
        "check --vm-type t3.micro --subnet-id {}",
        vpc.subnet
    ));
    let report = check.ends(1, "error: a start would not go through: network\n");
    assert!(
        report.contains("\nfailed   network    machines cannot reach the internet: "),
        "{report}"
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
    vpc.start("--allow-no-internet --wait --timeout 1m -q")
        .assert(6, "[ID]\n", str![[r#"
warning: machines may not reach the internet from [SUBNET]: its default route is an internet gateway ([ROUTES]), and its machines get no public address
error: timed out after 60 s: 0 of 1 machine registered
hint: look at them with inductiva-aws list, end them with inductiva-aws terminate --machine-group-name g
machines that may be running: [ID]

"#]]);
    account.run("terminate g -y -q").assert(0, "[ID]\n", "");
    account.settle();
    give_public_addresses(&account, &vpc.subnet, true);
    vpc.start("--wait -q").assert(0, "[ID]\n", "");
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
    account
        .run("start --vm-type t3.micro --machine-group-name h --dry-run -q")
        .assert(0, str![], str![]);
    let run = account
        .run("start --vm-type t3.micro --machine-group-name h --availability-zone eu-west-2a -q");
    run.assert(1, str![], str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2a: its default route is an internet gateway ([ROUTES]), and its machines get no public address
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
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
        account.run(line).fails(1, str![[r#"
error: machines cannot reach the internet: [SUBNET] in eu-west-2a: VPC Block Public Access blocks its internet gateway; [SUBNET] in eu-west-2b: VPC Block Public Access blocks its internet gateway; [SUBNET] in eu-west-2c: VPC Block Public Access blocks its internet gateway
hint: name a subnet with a way out (--subnet-id): one that gives public addresses and has an internet gateway, or one with a NAT gateway; or launch anyway with --allow-no-internet

"#]]);
        assert_nothing_is_left(&account);
        let subnet = default_subnets(&account)[1].clone();
        account.put("traits", json!({"excluded_subnets": [subnet]}));
        account.run(line).assert(0, "[ID]\n", "");
        assert_eq!(account.instances()[0]["SubnetId"], subnet);
    }
}

#[test]
fn who_may_not_see_the_routes_is_warned_once() {
    let account = Account::new();
    account.put("policy", json!({"deny": ["ec2:DescribeRouteTables"]}));
    account
        .run("start --vm-type t3.micro --machine-group-name g -q")
        .assert(0, "[ID]\n", str![[r#"
warning: machines may not reach the internet from [SUBNET], [SUBNET], [SUBNET]: the routes are not known: cannot look up the routes: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeRouteTables: an identity-based policy denies it (UnauthorizedOperation, request [UUID])

"#]]);
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
    let subnet = format!("--subnet-id {} -n 2", subnets[0]);
    let too_few = "error: a start would not go through: network\n";
    for (more, code, said) in [
        ("-n 3", 0, ""),
        ("-n 4", 5, too_few),
        ("-n 4 --min-machines 2", 0, ""),
        ("-n 2 --availability-zone eu-west-2a", 5, too_few),
        (&subnet, 5, too_few),
    ] {
        account
            .run(&format!("{line} {more}"))
            .assert(code, "", said);
    }
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
