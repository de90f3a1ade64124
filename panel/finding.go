package panel

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/middleware"
	"chatiere/panel/views"
	"chatiere/tenants"
)

// recentlyEnded is how long the platform's page shows findings that have ended.
const recentlyEnded = 7 * 24 * time.Hour

// platform shows the state of the platform and its findings.
func (s *Server) platform(c *fiber.Ctx) error {
	if err := s.authorize(c, tenants.ActPlatformShow, ""); err != nil {
		return err
	}
	found, err := s.o.Records.Findings(c.UserContext(), tenants.FindingFilter{EndedAfter: s.now().Add(-recentlyEnded)})
	if err != nil {
		return err
	}
	page := views.Platform{Base: s.base(c)}
	page.Parts, page.Silent = s.containers(c.UserContext())
	if page.Silent {
		page.Revival, _ = s.o.Records.Revival(c.UserContext()) // without it the page still says that nobody answers
	}
	hosts, err := s.hostsOf(c.UserContext(), found)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Open() {
			page.Findings = append(page.Findings, findingOf(f, hosts))
		} else {
			page.Ended = append(page.Ended, findingOf(f, hosts))
		}
	}
	return s.render(c, fiber.StatusOK, page)
}

// hostsOf returns the sites' addresses by id, if any of the findings may be about a site.
func (s *Server) hostsOf(ctx context.Context, found []tenants.Finding) (map[string]string, error) {
	if len(found) == 0 {
		return nil, nil
	}
	all, err := s.o.Records.Sites(ctx, nil, nil, "")
	hosts := make(map[string]string, len(all))
	for _, x := range all {
		hosts[x.ID] = x.Host
	}
	return hosts, err
}

// findingOf renders a finding; hosts are the addresses of sites it may be about.
func findingOf(f tenants.Finding, hosts map[string]string) views.Finding {
	out := views.Finding{Code: string(f.Code), Args: argsOf(f), Level: views.FindingLevel(f.Level), About: f.Subject, Since: f.Since}
	if host := hosts[f.Subject]; host != "" {
		out.About, out.Path = host, views.SitePath(f.Subject)
	}
	if f.Ended != nil {
		out.Ended = *f.Ended
	}
	return out
}

// argsOf adds the subject to what fills the words.
func argsOf(f tenants.Finding) map[string]string {
	args := map[string]string{"subject": f.Subject}
	for name, value := range f.Args {
		args[name] = value
	}
	return args
}

// siteFindings returns the findings about a site, if the visitor may see them. An error is only logged.
func (s *Server) siteFindings(c *fiber.Ctx, x tenants.Site, a tenants.Association) []views.Finding {
	if !may(c, tenants.ActSiteFindings, a.Slug) {
		return nil
	}
	found, err := s.o.Records.Findings(c.UserContext(), tenants.FindingFilter{Subject: x.ID})
	if err != nil {
		s.log.WarnContext(c.UserContext(), "findings not read", "request_id", middleware.RequestIDOf(c), "error", err)
	}
	var out []views.Finding
	for _, f := range found {
		told := findingOf(f, nil)
		told.About = "" // the page is about it
		out = append(out, told)
	}
	return out
}

// apiFindings lists everything that was noticed, or what was noticed about one site (?site=); ?ended=1 adds what is over
// and not yet forgotten.
func (s *Server) apiFindings(c *fiber.Ctx) error {
	filter := tenants.FindingFilter{Area: tenants.Area(c.Query("area")), Subject: c.Query("site")}
	if err := s.authorizeFindings(c, filter.Subject); err != nil {
		return err
	}
	if c.Query("ended") == "1" {
		filter.EndedAfter = time.Unix(1, 0)
	}
	found, err := s.o.Records.Findings(c.UserContext(), filter)
	if err != nil {
		return err
	}
	lang := middleware.LanguageOf(c)
	return c.JSON(listOf(found, func(f tenants.Finding) api.Finding {
		says, do := s.o.Views.Tell(lang, string(f.Code), argsOf(f))
		return api.Finding{
			Area: string(f.Area), Subject: f.Subject, Code: string(f.Code), Args: f.Args, Level: string(f.Level),
			Says: says, Advice: do, Since: f.Since, Seen: f.Seen, EndedAt: f.Ended,
		}
	}))
}

func (s *Server) authorizeFindings(c *fiber.Ctx, siteID string) error {
	if siteID == "" {
		return s.authorize(c, tenants.ActPlatformShow, "")
	}
	x, err := s.o.Records.Site(c.UserContext(), siteID)
	if err != nil {
		return hideNotFound(c, err)
	}
	a, err := s.o.Records.Association(c.UserContext(), x.AssociationID)
	if err != nil {
		return err
	}
	return s.authorize(c, tenants.ActSiteFindings, a.Slug)
}

// findingChecks are the doctor's lines for what is open. The doctor speaks English, as the command line does.
func (s *Server) findingChecks(ctx context.Context) []api.Check {
	found, err := s.o.Records.Findings(ctx, tenants.FindingFilter{})
	if err != nil {
		return []api.Check{{Name: "findings", State: api.CheckRed, Found: err.Error(), Advice: "They are kept in the panel's database: see the line database."}}
	}
	checks := make([]api.Check, 0, len(found))
	for _, f := range found {
		says, do := s.o.Views.Tell(views.English, string(f.Code), argsOf(f))
		check := api.Check{Name: string(f.Area) + " " + f.Subject, State: api.CheckAmber, Found: says, Advice: do}
		if f.Level == tenants.LevelTrouble {
			check.State = api.CheckRed
		}
		checks = append(checks, check)
	}
	return checks
}
