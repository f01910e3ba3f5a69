"""What can go wrong between a tenant and the world it names."""

from gateway.problems import Problem


class DestinationRefused(Problem):
    code = "tenants.destination_refused"
    status = 400
    title = "This installation does not dial that destination"
    remedy = "Use a public https address, or ask the operator to list the network in HOOPWEB_EGRESS_ALLOWED."


class DestinationUnreachable(Problem):
    code = "tenants.destination_unreachable"
    status = 502
    title = "The destination did not answer as it should"
    remedy = "Check that it is up and reachable from this installation, and try again."


class TenantUnknown(Problem):
    code = "tenants.unknown"
    status = 404
    title = "There is no such organisation here"
    remedy = "Ask your administrator how your organisation is named on hoopweb."
