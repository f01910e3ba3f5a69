"""What can go wrong at the doors: providers, their answers, second factors, devices, workloads."""

from gateway.problems import Problem


class ProviderUnknown(Problem):
    code = "identity.provider_unknown"
    status = 404
    title = "There is no such sign-in here"
    remedy = "Ask your administrator for the address of your organisation's sign-in."


class ProviderRefused(Problem):
    code = "identity.provider_refused"
    status = 400
    title = "This identity provider cannot be used as described"
    remedy = "Compare the settings with docs/security.md."


class SignOnRefused(Problem):
    code = "identity.sign_on_refused"
    status = 401
    title = "Your organisation's answer was not accepted"
    remedy = "Start again from the sign-in page; if it happens twice, show this page to your administrator."


class NoRoleFromProvider(Problem):
    code = "identity.no_role_from_provider"
    status = 403
    title = "Your organisation knows you, but gives you no role here"
    remedy = "Ask your administrator to put you into a group that has one."


class ProofTooOld(Problem):
    code = "identity.proof_too_old"
    status = 403
    title = "You proved who you are too long ago for this"
    remedy = "Prove it again at /prove/, then repeat."


class KeyProvesNobody(Problem):
    code = "identity.key_proves_nobody"
    status = 403
    title = "This asks for a person, and this API key cannot stand for one"
    remedy = "Do it signed in, or have an owner let person-bound keys vote in this tenant."


class SecondFactorUnknown(Problem):
    code = "identity.second_factor_unknown"
    status = 404
    title = "This member has enrolled no one-time code here"


class OwnSecondFactor(Problem):
    code = "identity.own_second_factor"
    status = 409
    title = "Nobody removes his own one-time code"
    remedy = "Ask another owner: whoever sits at your browser must not be able to enrol his own in its place."


class SessionEnded(Problem):
    code = "identity.session_ended"
    status = 401
    title = "This browser is signed in no longer"
    remedy = "Sign in again."


class SignInUnknown(Problem):
    code = "identity.sign_in_unknown"
    status = 404
    title = "There is no such sign-in in this tenant"
    remedy = "List the tenant's sign-ins."


class SecondFactorRefused(Problem):
    code = "identity.second_factor_refused"
    status = 401
    title = "This one-time code is not right, or was used already"
    remedy = "Wait for the next one and try again."


class LocalSignInClosed(Problem):
    code = "identity.local_sign_in_closed"
    status = 403
    title = "Your organisation signs in through its own provider"
    remedy = "Use your organisation's sign-in. Owners alone may use a password, when the provider is down."


class DeviceUnknown(Problem):
    code = "identity.device_unknown"
    status = 404
    title = "There is no such device in this tenant"
    remedy = "List the tenant's devices."


class UserCodeRefused(Problem):
    code = "identity.user_code_refused"
    status = 400
    title = "This code is unknown, used or too old"
    remedy = "Run `hoopweb login` again and type the code it shows."


class AccountUnknown(Problem):
    code = "identity.account_unknown"
    status = 404
    title = "There is no such service account in this tenant"
    remedy = "List the tenant's service accounts."


class TooManySecrets(Problem):
    code = "identity.too_many_secrets"
    status = 409
    title = "A service account has at most two live secrets"
    remedy = "Revoke the older one first."


class WorkloadRuleRefused(Problem):
    code = "identity.workload_rule_refused"
    status = 400
    title = "This rule for outside tokens cannot be used"
    remedy = "Name the issuer, its audience, and a subject that is more than a wildcard."
