"""RunInstances: EC2's checks, its client tokens, and the launch itself."""

from dataclasses import replace
from datetime import datetime, timezone

from .aws_errors import AwsError
from .ec2_launch_checks import MAX_CLIENT_TOKEN_LENGTH, check, primary_interface
from .launches import fingerprint
from .spot import check_price


def run_instances(backend, tenant, caller, parameters, form):
    """Launches, or answers an earlier launch of the same token: moto's reservation.

    Raises AwsError; also for a dry run that would have succeeded.
    """
    token = parameters.get("ClientToken")
    if token and (len(token) > MAX_CLIENT_TOKEN_LENGTH or not token.isascii()):
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid value '{token}' for ClientToken: at most "
            f"{MAX_CLIENT_TOKEN_LENGTH} ASCII characters",
        )
    region = backend.region_name
    zone = _token_zone(backend, parameters)
    earlier = tenant.launches.earlier(region, zone, token) if token else None
    dry_run = parameters.get("DryRun") is True
    if earlier is not None and not dry_run:
        if earlier.fingerprint != fingerprint(form):
            raise AwsError(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with "
                "arguments used in previous request(s).",
            )
        return earlier.reservation
    known = tenant.visibility.knows_group
    launch = check(backend, parameters, known, tenant.traits.hides)
    if dry_run:
        raise AwsError(
            "DryRunOperation", "Request would have succeeded, but DryRun flag is set."
        )
    if launch.spot is not None:
        zone_price = tenant.prices.spot(
            launch.instance_type, launch.subnet.availability_zone
        )
        check_price(launch.spot, zone_price)
    tenant.traits.check_launch(launch)
    granted = tenant.capacity.grant(launch, zone)
    reservation = _launch(backend, tenant, replace(launch, count=granted), token)
    tenant.capacity.took(launch, reservation.instances)
    for instance in reservation.instances:
        tenant.lifecycle.launched(instance, _can_encrypt(tenant, caller, region))
    tenant.visibility.launched(reservation.instances)
    tenant.launches.record(region, zone, token, form, reservation)
    return reservation


def _can_encrypt(tenant, caller, region):
    if tenant.identity.policy is None:
        return True
    from .permissions import may_use_disk_key

    return may_use_disk_key(tenant, caller, region)


def _token_zone(backend, parameters):
    """The zone that a client token is bound to; None for the whole region."""
    subnet_id = parameters.get("SubnetId") or primary_interface(parameters).get(
        "SubnetId"
    )
    for subnets in backend.subnets.values():
        if subnet_id in subnets:
            return subnets[subnet_id].availability_zone
    return (parameters.get("Placement") or {}).get("AvailabilityZone")


def _launch(backend, tenant, launch, token):
    reservation = backend.run_instances(
        launch.image.id,
        launch.count,
        launch.user_data,
        [],
        security_group_ids=list(launch.security_groups),
        instance_type=launch.instance_type,
        # It need not be looked for among all types: it was checked.
        is_instance_type_default=True,
        region_name=backend.region_name,
        subnet_id=launch.subnet.id,
        key_name=launch.key_name,
        associate_public_ip=launch.associate_public_ip,
        ebs_optimized=launch.ebs_optimized,
        monitoring_state="enabled" if launch.monitoring else "disabled",
        instance_initiated_shutdown_behavior=launch.shutdown_behavior,
        metadata_options={
            "HttpEndpoint": tenant.traits.metadata_endpoint,
            **launch.metadata_options,
        },
        client_token=token or "",
        # Disks are made below: moto would drop iops and throughput.
        block_device_mappings=[],
        tags={"instance": launch.tags.get("instance", {})},
        lifecycle=None if launch.spot is None else "spot",
    )
    for instance in reservation.instances:
        _complete(backend, tenant, launch, instance)
    return reservation


def _complete(backend, tenant, launch, instance):
    """What moto leaves out of a launch."""
    # By this account's clock, which may not be the machine's.
    launched_at = datetime.fromtimestamp(tenant.now(), timezone.utc)
    instance.cpu_options = launch.cpu_options
    instance.launch_time = launched_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    volumes = [disk.attach_to(instance) for disk in launch.disks]
    for interface in instance.nics.values():
        interface.delete_on_termination = True
        interface.add_tags(launch.tags.get("network-interface", {}))
    for volume in volumes:
        volume.add_tags(launch.tags.get("volume", {}))
    instance.root_device_name = launch.image.root_device_name
    if launch.spot is not None:
        tags = launch.tags.get("spot-instances-request", {})
        tenant.spot_requests.add(backend, instance, launch.spot, tags)
    if launch.instance_profile is not None:
        backend.associate_iam_instance_profile(
            instance.id, iam_instance_profile_arn=launch.instance_profile.arn
        )
