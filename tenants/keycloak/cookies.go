package keycloak

// Cookies are the names of all cookies that Keycloak 26 reads.
var Cookies = []string{
	"AUTH_SESSION_ID", "KC_AUTH_SESSION_HASH", "KC_RESTART", "KC_STATE_CHECKER", "KEYCLOAK_IDENTITY", "KEYCLOAK_LOCALE",
	"KEYCLOAK_REMEMBER_ME", "KEYCLOAK_SESSION", "WELCOME_STATE_CHECKER",
}
