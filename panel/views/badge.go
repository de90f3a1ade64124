package views

import "fmt"

// Badge is a state as it is shown: an icon, a text and a tone; never a colour alone.
type Badge struct {
	Tone, Icon, Text string
}

// badgeStyle is the tone and the icon of a state.
type badgeStyle struct{ tone, icon string }

var badgeStyles = map[string]badgeStyle{
	string(SiteReady):       {"well", "check"},
	string(SiteCreating):    {"busy", "dots"},
	string(SiteChanging):    {"busy", "dots"},
	string(SiteAsleep):      {"idle", "moon"},
	string(SiteDown):        {"trouble", "cross"},
	string(SiteSuspended):   {"idle", "pause"},
	string(SiteQuarantined): {"attention", "bang"},
	string(SiteBinned):      {"idle", "bin"},
	string(SiteUnknown):     {"attention", "question"},

	string(PartWell):       {"well", "check"},
	string(PartStarting):   {"busy", "dots"},
	string(PartIll):        {"trouble", "bang"},
	string(PartRestarting): {"trouble", "back"},
	string(PartStopped):    {"trouble", "pause"},
	string(PartGone):       {"trouble", "cross"},
	string(MailWaiting):    {"idle", "dots"},
	string(MailDeferred):   {"attention", "dots"},
	string(MailSent):       {"well", "check"},
	string(MailBounced):    {"trouble", "back"},
	string(MailRefused):    {"trouble", "cross"},

	string(OperationQueued):    {"idle", "dots"},
	string(OperationRunning):   {"busy", "dots"},
	string(OperationRetrying):  {"attention", "dots"},
	string(OperationUndoing):   {"attention", "back"},
	string(OperationDone):      {"well", "check"},
	string(OperationUndone):    {"attention", "back"},
	string(OperationCancelled): {"idle", "back"},
	string(OperationStuck):     {"trouble", "bang"},
}

func newBadge(words *Catalogue, family string, state any) (Badge, error) {
	text, err := words.word(family, state)
	if err != nil {
		return Badge{}, err
	}
	l, ok := badgeStyles[fmt.Sprint(state)]
	if !ok {
		l = badgeStyle{"attention", "question"}
	}
	return Badge{Tone: l.tone, Icon: l.icon, Text: text}, nil
}
