package relay

import (
	"errors"

	"github.com/emersion/go-smtp"

	"chatiere/reverseproxy/egress/relay/queue"
)

// refusals maps causes to SMTP replies and report causes. People read the replies in
// their site's log, so they state what to do.
var refusals = []struct {
	cause  error
	report string
	answer smtp.SMTPError
}{
	{ErrTooFast, CauseFast, smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Too many attempts, try again later"}},
	{ErrNoSmarthost, CauseNone, smtp.SMTPError{
		Code: 554, EnhancedCode: smtp.EnhancedCode{5, 3, 2}, Message: "No mail relay is configured on this platform; ask those who run it",
	}},
	{ErrClosed, CauseDisk, smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Mail cannot be kept right now, try again later"}},
	{ErrForeign, CauseForeign, smtp.SMTPError{
		Code: 553, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "This site may not write from that address; use one at the site's own name",
	}},
	{smtp.ErrDataTooLarge, CauseContent, *smtp.ErrDataTooLarge},
	{errHeaderTooLarge, CauseContent, smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "The header is too large"}},
	{ErrContent, CauseContent, smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "This message cannot be passed on"}},
	{queue.ErrSiteFull, CauseFull, smtp.SMTPError{
		Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "Too much mail of this site is waiting, try again later",
	}},
	{queue.ErrFull, CauseDisk, smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "Too much mail is waiting, try again later"}},
	{queue.ErrDiskFull, CauseDisk, smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "No room for mail right now, try again later"}},
}

// Reason returns the constant part of the cause for which a mail was refused; "" for
// any other error.
func Reason(cause error) string {
	for _, a := range refusals {
		if errors.Is(cause, a.cause) {
			return a.cause.Error()
		}
	}
	return ""
}

// Reasons returns all values of Reason except "".
func Reasons() []string {
	var all []string
	for _, a := range refusals {
		all = append(all, a.cause.Error())
	}
	return all
}

// refuse replies according to the cause and reports the mail as refused.
func (s *session) refuse(cause error) error {
	r := s.relay
	for _, a := range refusals {
		if !errors.Is(cause, a.cause) {
			continue
		}
		r.reportRefused(s.site.ID, a.report)
		s.site.Record(a.cause)
		return &a.answer
	}
	// A client that went away in the middle, or a disk that cannot be written.
	r.log.Warn("mail not kept", "site", s.site.ID, "error", cause)
	r.reportRefused(s.site.ID, CauseDisk)
	s.site.Record(ErrClosed)
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Mail cannot be kept right now, try again later"}
}
