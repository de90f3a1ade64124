package pages

// text is what one page says: what happened, what it means, what to do.
type text struct {
	Title string
	Lines []string
	// Home is the label of a link to the site's home page; empty where there is none to go to.
	Home string
	// Button is the label of the button that deletes this site's cookies; empty where there is none.
	Button string
	// Help is said before the contact's address, where there is one.
	Help string
}

// hostedBy stands before the host's name, in the order of languages.
var hostedBy = [...]string{"Hébergé par", "Hosted by"}

// texts stand in the order of languages. Non-breaking spaces and apostrophes are typographic.
var texts = [kinds][len(languages)]text{
	UnknownHost: {{
		Title: "Aucun site à cette adresse",
		Lines: []string{"Cette adresse ne mène à aucun site.", "Vérifiez qu’elle est bien écrite : une lettre suffit à se perdre."},
	}, {
		Title: "No site at this address",
		Lines: []string{"This address does not lead to any site.", "Please check its spelling: one letter is enough to get lost."},
	}},
	NotFound: {{
		Title: "Cette page n’existe pas",
		Lines: []string{"Le site est bien là, mais il n’a rien à cette adresse."},
		Home:  "Aller à l’accueil du site",
	}, {
		Title: "This page does not exist",
		Lines: []string{"The site is here, but it has nothing at this address."},
		Home:  "Go to the site’s home page",
	}},
	BadRequest: {{
		Title: "Cette adresse n’est pas lisible",
		Lines: []string{"Elle contient des caractères qui n’ont pas leur place dans une adresse.", "Reprenez le lien d’où vous venez, ou passez par l’accueil du site."},
	}, {
		Title: "This address cannot be read",
		Lines: []string{"It holds characters that have no place in an address.", "Please follow the link again, or start from the site’s home page."},
	}},
	Starting: {{
		Title: "Ce site se prépare",
		Lines: []string{"Il démarre et sera là dans un instant.", "La page s’affichera toute seule."},
	}, {
		Title: "This site is getting ready",
		Lines: []string{"It is starting and will be here in a moment.", "The page will appear by itself."},
	}},
	Asleep: {{
		Title: "Ce site se réveille",
		Lines: []string{"Il dort quand personne ne passe, pour ne pas gaspiller d’énergie.", "La page s’affichera toute seule dans un instant."},
	}, {
		Title: "This site is waking up",
		Lines: []string{"It sleeps while nobody is around, so as not to waste energy.", "The page will appear by itself in a moment."},
	}},
	Down: {{
		Title: "Ce site ne répond pas pour le moment",
		Lines: []string{"Cela ne vient pas de vous.", "Réessayez dans quelques minutes."},
		Help:  "Si cela dure, écrivez à",
	}, {
		Title: "This site is not answering right now",
		Lines: []string{"It is nothing you did.", "Please try again in a few minutes."},
		Help:  "If it lasts, write to",
	}},
	Refused: {{
		Title: "Ce site est fermé pour le moment",
		Lines: []string{"Les personnes qui l’hébergent en ont fermé l’accès.", "Si c’est votre site, elles vous diront pourquoi et quoi faire."},
		Help:  "Pour les joindre :",
	}, {
		Title: "This site is closed for now",
		Lines: []string{"The people who host it have closed access to it.", "If it is your site, they will tell you why and what to do."},
		Help:  "To reach them:",
	}},
	Busy: {{
		Title: "Trop de demandes à la fois",
		Lines: []string{"Votre connexion en envoie plus que le serveur n’en accepte d’une seule adresse.", "Attendez quelques secondes, puis réessayez."},
		Help:  "Si vous êtes nombreux derrière la même connexion, écrivez à",
	}, {
		Title: "Too many requests at once",
		Lines: []string{"Your connection sends more of them than the server accepts from one address.", "Please wait a few seconds and try again."},
		Help:  "If many of you share this connection, write to",
	}},
	Cookies: {{
		Title: "Votre navigateur a été remis en ordre",
		Lines: []string{"Il envoyait deux fois le même cookie : un autre site avait sans doute déposé le second.", "Les deux viennent d’être effacés. Revenez à l’accueil et connectez-vous de nouveau."},
		Home:  "Revenir à l’accueil",
		Help:  "Si cela se reproduit, écrivez à",
	}, {
		Title: "Your browser was tidied up",
		Lines: []string{"It sent the same cookie twice: another site had probably left the second one.", "Both have just been deleted. Go back to the home page and sign in again."},
		Home:  "Back to the home page",
		Help:  "If it happens again, write to",
	}},
	Full: {{
		Title: "Ce site est très demandé",
		Lines: []string{"Il reçoit plus de demandes qu’il ne peut en traiter à la fois.", "Réessayez dans quelques instants."},
		Help:  "Si cela dure, écrivez à",
	}, {
		Title: "This site is very busy",
		Lines: []string{"It receives more requests than it can answer at once.", "Please try again in a moment."},
		Help:  "If it lasts, write to",
	}},
	Slow: {{
		Title: "Votre envoi s’est interrompu",
		Lines: []string{"Ce que vous envoyez est arrivé trop lentement, puis plus du tout.", "Vérifiez votre connexion, revenez en arrière et envoyez de nouveau."},
		Help:  "Si cela se répète, écrivez à",
	}, {
		Title: "Your upload stopped",
		Lines: []string{"What you are sending came too slowly, and then not at all.", "Please check your connection, go back and send it again."},
		Help:  "If it happens again, write to",
	}},
	TooLarge: {{
		Title: "Votre envoi est trop volumineux",
		Lines: []string{"Il dépasse ce que cette adresse accepte en une fois.", "Revenez en arrière, puis envoyez un fichier plus petit, ou moins de choses à la fois."},
		Help:  "Pour envoyer un fichier de cette taille, écrivez à",
	}, {
		Title: "What you sent is too large",
		Lines: []string{"It is more than this address accepts at once.", "Please go back and send a smaller file, or less at a time."},
		Help:  "To send a file of this size, write to",
	}},
	LongAddress: {{
		Title: "Cette adresse est trop longue",
		Lines: []string{"Le serveur n’en lit pas de si longues.", "Si vous avez coché beaucoup d’éléments dans une liste, revenez en arrière et cochez-en moins à la fois."},
		Home:  "Aller à l’accueil du site",
	}, {
		Title: "This address is too long",
		Lines: []string{"The server does not read addresses of this length.", "If you ticked many items in a list, please go back and tick fewer at a time."},
		Home:  "Go to the site’s home page",
	}},
	LongHeader: {{
		Title: "Votre navigateur envoie trop d’informations",
		Lines: []string{"Il joint à sa demande plus que le serveur n’accepte.", "Essayez dans une fenêtre privée, ou avec un autre navigateur."},
		Help:  "Si cela ne suffit pas, écrivez à",
	}, {
		Title: "Your browser sends too much",
		Lines: []string{"It adds more to its request than the server accepts.", "Please try a private window or another browser."},
		Help:  "If that does not help, write to",
	}},
	TooManyCookies: {{
		Title: "Votre navigateur garde trop de cookies",
		Lines: []string{
			"Des sites de ce domaine y ont déposé tant de cookies (de petites données qu’il renvoie à chaque visite) que plus aucune page ne peut s’ouvrir.",
			"Les effacer règle le problème. Vous serez déconnecté·e de ces sites, rien d’autre ne sera perdu.",
		},
		Button: "Effacer ces cookies",
		Help:   "Si cela ne suffit pas, écrivez à",
	}, {
		Title: "Your browser keeps too many cookies",
		Lines: []string{
			"Sites of this domain have stored so many cookies in it (small data that it sends with each visit) that no page can open any more.",
			"Deleting them solves the problem. You will be signed out of these sites; nothing else will be lost.",
		},
		Button: "Delete these cookies",
		Help:   "If that does not help, write to",
	}},
	CookiesCleared: {{
		Title: "Les cookies sont effacés",
		Lines: []string{"Vous pouvez de nouveau ouvrir le site.", "Si vous étiez connecté·e, connectez-vous de nouveau."},
		Home:  "Aller à l’accueil du site",
	}, {
		Title: "The cookies are deleted",
		Lines: []string{"You can open the site again.", "If you were signed in, please sign in again."},
		Home:  "Go to the site’s home page",
	}},
}
