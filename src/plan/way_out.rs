//! Whether machines in a subnet reach the internet. Only certain cases are refused: a
//! machine that reaches nothing never gets its software, and costs until its boot timeout
//! is over.

use crate::model::network::{Destination, Route, RouteTable, RouteTarget, Subnet};

/// What is known of a subnet's way to the internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    Open,
    /// Nobody can tell, for this reason.
    Untold(String),
    /// There is none, for this reason.
    Closed(String),
}

/// The way out of `subnet`, by the route tables of its region, or by the reason why those
/// are not known.
pub fn way_out(subnet: &Subnet, tables: Result<&[RouteTable], &String>) -> WayOut {
    let tables = match tables {
        Ok(tables) => tables,
        Err(why) => return WayOut::Untold(format!("the routes are not known: {why}")),
    };
    // A subnet without a route table of its own has the main one ("Subnet route tables",
    // VPC user guide).
    let own = |table: &&RouteTable| table.subnet_ids.contains(&subnet.id);
    let main = |table: &&RouteTable| table.is_main && table.vpc_id == subnet.vpc_id;
    let table = tables.iter().find(own);
    let Some(table) = table.or_else(|| tables.iter().find(main)) else {
        return WayOut::Untold("EC2 does not show its route table".into());
    };
    let by_ipv4 = by_ipv4(subnet, table);
    if by_ipv4 == WayOut::Open || !has_way_out_by_ipv6(subnet, table) {
        return by_ipv4;
    }
    // Some servers that machines need have no IPv6 address.
    WayOut::Untold(format!(
        "its route table {} has a way out for IPv6 only",
        table.id
    ))
}

fn by_ipv4(subnet: &Subnet, table: &RouteTable) -> WayOut {
    let routes: Vec<_> = usable(table)
        .filter(|route| route.destination != Destination::AllIpv6)
        .collect();
    let id = &table.id;
    let default = routes
        .iter()
        .find(|route| route.destination == Destination::AllIpv4);
    match default.map(|route| route.target) {
        Some(RouteTarget::InternetGateway) if subnet.is_blocked => {
            WayOut::Closed("VPC Block Public Access blocks its internet gateway".into())
        }
        Some(RouteTarget::InternetGateway) if !subnet.gives_public_addresses => {
            WayOut::Closed(format!(
                "its default route is an internet gateway ({id}), and its machines get no public address"
            ))
        }
        Some(_) => WayOut::Open,
        None if routes.is_empty() => {
            WayOut::Closed(format!("its route table {id} has no default route"))
        }
        None => WayOut::Untold(format!(
            "its route table {id} has no default route for IPv4, only routes to some networks"
        )),
    }
}

/// Whether machines have an IPv6 address, and a default route for it.
fn has_way_out_by_ipv6(subnet: &Subnet, table: &RouteTable) -> bool {
    let mut routes = usable(table);
    let is_open =
        |target: RouteTarget| target != RouteTarget::InternetGateway || !subnet.is_blocked;
    subnet.gives_ipv6_addresses
        && routes.any(|route| route.destination == Destination::AllIpv6 && is_open(route.target))
}

/// The routes that lead somewhere.
fn usable(table: &RouteTable) -> impl Iterator<Item = &Route> {
    let leads =
        |target: RouteTarget| !matches!(target, RouteTarget::Blackhole | RouteTarget::Nowhere);
    table.routes.iter().filter(move |route| leads(route.target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::examples::subnet;

    fn route(target: RouteTarget) -> Route {
        Route {
            destination: Destination::AllIpv4,
            target,
        }
    }

    fn some(target: RouteTarget) -> Route {
        Route {
            destination: Destination::Some,
            target,
        }
    }

    fn by_ipv6(target: RouteTarget) -> Route {
        Route {
            destination: Destination::AllIpv6,
            target,
        }
    }

    fn table(routes: Vec<Route>) -> RouteTable {
        RouteTable {
            id: "rtb-1".into(),
            vpc_id: "vpc-1".into(),
            subnet_ids: Vec::new(),
            is_main: true,
            routes,
        }
    }

    fn is(way_out: &WayOut) -> &'static str {
        match way_out {
            WayOut::Open => "open",
            WayOut::Untold(_) => "untold",
            WayOut::Closed(_) => "closed",
        }
    }

    #[test]
    fn only_what_is_certain_is_closed() {
        use RouteTarget::{Blackhole, InternetGateway, Nowhere, Other};
        let public = subnet("subnet-1");
        let private = Subnet {
            gives_public_addresses: false,
            ..subnet("subnet-1")
        };
        let blocked = Subnet {
            is_blocked: true,
            ..subnet("subnet-1")
        };
        let with_ipv6 = Subnet {
            gives_ipv6_addresses: true,
            ..private.clone()
        };
        let blocked_ipv6 = Subnet {
            is_blocked: true,
            ..with_ipv6.clone()
        };
        for (subnet, routes, expected) in [
            (&public, vec![route(InternetGateway)], "open"),
            (&private, vec![route(InternetGateway)], "closed"),
            (&blocked, vec![route(InternetGateway)], "closed"),
            (&private, vec![route(Other)], "open"),
            (&blocked, vec![route(Other)], "open"),
            (&public, vec![], "closed"),
            (&public, vec![some(Nowhere)], "closed"),
            (&public, vec![route(Blackhole)], "closed"),
            (&public, vec![some(Nowhere), some(Blackhole)], "closed"),
            (&public, vec![some(Nowhere), some(Other)], "untold"),
            (&public, vec![route(Blackhole), some(Other)], "untold"),
            (&private, vec![route(Blackhole), route(Other)], "open"),
            (&with_ipv6, vec![by_ipv6(InternetGateway)], "untold"),
            (&with_ipv6, vec![by_ipv6(Other)], "untold"),
            (&with_ipv6, vec![by_ipv6(Blackhole)], "closed"),
            (
                &with_ipv6,
                vec![route(InternetGateway), by_ipv6(Other)],
                "untold",
            ),
            (&with_ipv6, vec![route(Other), by_ipv6(Other)], "open"),
            (&blocked_ipv6, vec![by_ipv6(InternetGateway)], "closed"),
            (&blocked_ipv6, vec![by_ipv6(Other)], "untold"),
            // There is no address to use the route with.
            (&public, vec![by_ipv6(Other)], "closed"),
            (
                &private,
                vec![route(InternetGateway), by_ipv6(Other)],
                "closed",
            ),
        ] {
            let tables = [table(routes)];
            let found = way_out(subnet, Ok(&tables));
            assert_eq!(is(&found), expected, "{subnet:?} {tables:?}");
        }
        let why = "denied".to_owned();
        assert_eq!(is(&way_out(&public, Err(&why))), "untold");
        assert_eq!(is(&way_out(&public, Ok(&[]))), "untold");
    }

    #[test]
    fn a_subnets_own_table_is_in_force_and_else_the_main_one_of_its_vpc() {
        let main = table(vec![route(RouteTarget::Other)]);
        let own = RouteTable {
            subnet_ids: vec!["subnet-1".into()],
            is_main: false,
            ..table(vec![])
        };
        let others = RouteTable {
            vpc_id: "vpc-2".into(),
            ..table(vec![])
        };
        let tables = [others, main, own];
        assert_eq!(is(&way_out(&subnet("subnet-1"), Ok(&tables))), "closed");
        assert_eq!(is(&way_out(&subnet("subnet-2"), Ok(&tables))), "open");
    }
}
