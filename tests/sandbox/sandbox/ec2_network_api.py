"""EC2's operations of subnets, route tables and security groups."""

from moto.core.responses import ActionResult

from .aws_errors import AwsError
from .ec2_attributes import security_group_attributes, subnet_attributes
from .ec2_launch_checks import check_security_group_id
from .networks import group_not_found, no_default_vpc


class NetworkOperations:
    """For `Ec2Api`, which has what they share with others."""

    def describe_subnets(self):
        self.error_on_dryrun()
        by_id = {s.id: s for s in self.ec2_backend.describe_subnets()}
        for subnet_id in self._get_param("SubnetIds", []):
            if subnet_id not in by_id:
                raise AwsError(
                    "InvalidSubnetID.NotFound",
                    f"The subnet ID '{subnet_id}' does not exist",
                )
        for subnet in by_id.values():
            mode = self.tenant.traits.block_mode(subnet.id)
            subnet.block_public_access_states = {"InternetGatewayBlockMode": mode}
        return self._answer_matching("Subnets", by_id, "SubnetIds", subnet_attributes)

    def describe_route_tables(self):
        self.error_on_dryrun()
        tables = super().describe_route_tables().result["RouteTables"]
        tables, following = self._page(tables, most=100, default=100)
        return ActionResult({"RouteTables": tables, "NextToken": following})

    def describe_security_groups(self):
        self.error_on_dryrun()
        knows = self.tenant.visibility.knows_group
        by_id = {
            g.id: g for g in self.ec2_backend.describe_security_groups() if knows(g.id)
        }
        for group_id in self._get_param("GroupIds", []):
            check_security_group_id(group_id)
            if group_id not in by_id:
                raise group_not_found(group_id)
        names = self._get_param("GroupNames", [])
        if names:
            default_vpc = self.ec2_backend.get_default_vpc()
            if default_vpc is None:
                raise no_default_vpc()
            by_id = {
                g.id: g
                for g in by_id.values()
                if g.vpc_id == default_vpc.id and g.name in names
            }
            for name in set(names) - {g.name for g in by_id.values()}:
                raise AwsError(
                    "InvalidGroup.NotFound",
                    f"The security group '{name}' does not exist in default VPC "
                    f"'{default_vpc.id}'",
                )
        return self._answer_matching(
            "SecurityGroups", by_id, "GroupIds", security_group_attributes
        )

    def create_security_group(self):
        if not self._get_param("VpcId") and self.ec2_backend.get_default_vpc() is None:
            raise no_default_vpc()
        answer = super().create_security_group()
        made = self.ec2_backend.get_security_group_from_name(
            self._get_param("GroupName"), self._get_param("VpcId")
        )
        if made is not None:
            self.tenant.visibility.group_made(made.id)
        return answer

    def authorize_security_group_ingress(self):
        group_id = self._get_param("GroupId")
        if not self.tenant.visibility.knows_group(group_id):
            raise group_not_found(group_id)
        return super().authorize_security_group_ingress()

    def delete_security_group(self):
        """One that an interface has is in use ("DeleteSecurityGroup", API reference)."""
        group_id = self._get_param("GroupId")
        for interface in self.ec2_backend.get_all_network_interfaces():
            if group_id in {group.id for group in interface.group_set}:
                raise AwsError(
                    "DependencyViolation",
                    f"resource {group_id} has a dependent object",
                )
        return super().delete_security_group()
