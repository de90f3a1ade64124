package viewstest

import (
	"time"

	"chatiere/panel/views"
)

func forms() []Story {
	associations := []views.Choice{{Value: "amap-du-puy", Label: "Amap du Puy"}, {Value: "chorale-mi-sol", Label: "Chorale Mi-Sol"}}
	templates := []views.TemplateChoice{
		{Value: "wordpress", Name: "WordPress", Summary: "Le site vitrine le plus connu. L’association ajoute ses extensions."},
		{Value: "spip", Name: "SPIP", Summary: "Pour publier à plusieurs."},
	}
	fresh := views.NewSite{Base: Admin("/sites/new"), Associations: associations, Templates: templates[:1], Suffix: ".lilas.coop", Once: "0nce"}
	one := fresh
	one.Associations, one.Templates = associations[:1], templates
	taken := one
	taken.Name.Value, taken.Template.Value = "Amap du Puy", "wordpress"
	taken.Host = views.Field{Value: "amap", Problem: views.ProblemTaken}
	taken.TakenBy, taken.Proposal, taken.Port = "l’Amap de Thiers", "amap-du-puy", ":8443"
	wrong := fresh
	wrong.Templates = templates
	wrong.Association.Problem, wrong.Template.Problem, wrong.Name.Problem = views.ProblemMissing, views.ProblemMissing, views.ProblemMissing
	wrong.Host, wrong.Proposal = views.Field{Value: "été à la mer !", Problem: views.ProblemMalformed}, "ete-a-la-mer"
	none := fresh
	none.Associations = nil
	modes := fresh
	modes.Templates = []views.TemplateChoice{templates[0], templates[1]}
	modes.Templates[1].Modes = []string{"autonome", "mutualise"}
	modes.Mode = views.Field{Value: "mutualise", Problem: "unknown"}
	bare := fresh
	bare.Templates = nil
	return []Story{
		{"site-new", fresh}, {"site-new-for", one}, {"site-new-taken", taken}, {"site-new-wrong", wrong}, {"site-new-modes", modes},
		{"site-new-no-association", none}, {"site-new-no-template", bare},
	}
}

func operations() []Story {
	page := func(p views.Progress) views.Operation {
		return views.Operation{Base: Admin("/operations/01j"), Progress: p, Subject: "amap-du-puy.lilas.coop", AskedBy: "Jean Dupont", AskedAt: Now.Add(-4 * time.Second)}
	}
	running := page(Running())
	running.Cancel = true
	done := page(Progress(views.KindProvision, views.OperationDone, 9))
	done.SiteID, done.SiteURL = "s7k2m9qx4p", Row().URL
	retrying := page(Progress(views.KindProvision, views.OperationRetrying, 2))
	retrying.Cause, retrying.Steps[2].State, retrying.Steps[2].Attempt = views.CauseDatabase, views.StepRetrying, 3
	undoing := page(Progress(views.KindProvision, views.OperationUndoing, 3))
	undoing.Cause, undoing.Steps[3].State, undoing.Steps[2].State = views.CauseTemplate, views.StepFailed, views.StepUndoing
	undone := page(Progress(views.KindProvision, views.OperationUndone, 0))
	undone.Cause = views.CauseExhausted
	stuck := page(Progress(views.KindPurge, views.OperationStuck, 2))
	stuck.Cause, stuck.Pivoted, stuck.Retry = views.CauseRefused, true, true
	queued := page(Progress(views.KindAssociation, views.OperationQueued, 0))
	queued.Base, queued.Subject = with(queued.Base, views.NoticeWorkPaused), "Théâtre du Lac"
	late := page(Progress(views.KindPurge, views.OperationRunning, 3))
	late.Pivoted, late.AskedBy = true, ""
	cancelled := page(Progress(views.KindProvision, views.OperationCancelled, 0))
	return []Story{
		{"operation-running", running}, {"operation-done", done}, {"operation-retrying", retrying}, {"operation-undoing", undoing},
		{"operation-undone", undone}, {"operation-stuck", stuck}, {"operation-queued", queued}, {"operation-late", late}, {"operation-cancelled", cancelled},
	}
}

// Running is a provision at its seventh step.
func Running() views.Progress {
	p := Progress(views.KindProvision, views.OperationRunning, 6)
	p.Steps[6].State, p.Steps[6].Took = views.StepDoing, 1200*time.Millisecond
	p.Steps[6].Progress = &views.StepProgress{Done: 1_200_000_000, Total: 3_000_000_000, Unit: "bytes"}
	p.Log = append(p.Log, views.LogLine{At: Now, Event: views.LogStarted, Step: "install"})
	return p
}

// Progress is an operation with its first steps done.
func Progress(kind views.OperationKind, state views.OperationState, done int) views.Progress {
	names := map[views.OperationKind][]string{
		views.KindProvision:   {"image", "files", "database", "egress", "container", "start", "install", "ready", "open"},
		views.KindPurge:       {"container", "egress", "database", "files", "forget"},
		views.KindAssociation: {"groups"},
	}[kind]
	p := views.Progress{ID: "01j000000000000000000001", Kind: kind, State: state}
	p.Log = append(p.Log, views.LogLine{At: Now.Add(-4 * time.Second), Event: views.LogAsked}, views.LogLine{At: Now.Add(-4 * time.Second), Event: views.LogTaken})
	for i, name := range names {
		s := views.Step{Name: name, State: views.StepPending}
		if i < done {
			s.State, s.Took = views.StepDone, time.Duration(i*110+90)*time.Millisecond
			p.Log = append(p.Log, views.LogLine{At: Now.Add(-3 * time.Second), Event: views.LogDone, Step: name, Took: s.Took})
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

func associations() []Story {
	list := []views.AssociationRow{
		{Slug: "amap-du-puy", Name: "Amap du Puy", Sites: 2, Members: 14, Disk: views.Known(4_100_000_000)},
		{Slug: "chorale-mi-sol", Name: "Chorale Mi-Sol", Sites: 1, Members: 1, Disk: views.Known(640_000_000)},
		{Slug: "theatre-du-lac", Name: "Théâtre du Lac et de ses environs immédiats", Creating: true},
	}
	page := views.Association{Base: Admin("/associations/amap-du-puy"), Slug: "amap-du-puy", Name: "Amap du Puy", CreatedAt: Now.AddDate(-1, 0, -2),
		Sites: rows()[2:4], MembersKnown: true, CreateSite: true, Journal: true, IdentityURL: "https://id.lilas.coop/admin/",
		Members: []views.Member{{Name: "Léa Martin", Username: "lea.martin", Manager: true, Subject: "u1"}, {Name: "Samira Benali", Username: "samira"}, {Username: "sans-nom"}}}
	empty := page
	empty.Sites, empty.Members = nil, nil
	empty.Running = &views.OperationRow{ID: "01j", Kind: views.KindAssociation, State: views.OperationRunning, Subject: "Amap du Puy"}
	stale := page
	stale.Base, stale.MembersKnown, stale.CreateSite, stale.Journal, stale.IdentityURL = with(Member("/associations/amap-du-puy"), views.NoticeIdentityDown), false, false, false, ""
	fresh := views.NewAssociation{Base: Admin("/associations/new"), Once: "0nce"}
	taken := fresh
	taken.Name.Value, taken.Proposal = "Amap du Puy", "amap-du-puy-2"
	taken.Slug = views.Field{Value: "amap-du-puy", Problem: views.ProblemTaken}
	return []Story{
		{"associations", views.Associations{Base: Admin("/associations"), Associations: list, Total: 3, Create: true, Journal: true}},
		{"associations-not-found", views.Associations{Base: Admin("/associations?q=zzz"), Query: "zzz", Total: 3}},
		{"associations-empty", views.Associations{Base: Admin("/associations"), Create: true}},
		{"association", page}, {"association-empty", empty}, {"association-member", stale},
		{"association-new", fresh}, {"association-new-taken", taken},
	}
}
