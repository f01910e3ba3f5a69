"""What can go wrong with notices and their channels."""

from gateway.problems import Problem


class ChannelUnknown(Problem):
    code = "notice_channel.unknown"
    status = 404
    title = "There is no such channel in this tenant"


class ChannelRefused(Problem):
    code = "notice_channel.refused"
    status = 400
    title = "Notices cannot be sent like this"
    remedy = "Give a name, a way (webhook or email), an https address or an e-mail address, and at least one kind."


class ChannelExists(Problem):
    code = "notice_channel.exists"
    status = 409
    title = "There is a channel of this name already"
    remedy = "Choose another name, or change the one there is."


class TooManyChannels(Problem):
    code = "notice_channel.too_many"
    status = 409
    title = "The tenant has as many channels as it may"
    remedy = "Remove one that is not needed."


class NoMailHere(Problem):
    code = "notice_channel.no_mail_here"
    status = 409
    title = "This installation sends no e-mail"
    remedy = "Have its operator set HOOPWEB_SMTP_HOST, or use a webhook."


class ChannelHasNoSecret(Problem):
    code = "notice_channel.no_secret"
    status = 409
    title = "Only a webhook has a signing secret"
