package keycloak

import "context"

// DefaultPasswordPolicy needs the password list of our Keycloak image.
const DefaultPasswordPolicy = "length(12) and notUsername(undefined) and notEmail(undefined) and passwordBlacklist(chatiere-blacklist.txt)"

const year = 365 * 24 * 60 * 60

// securitySettings are for every realm, ours or not: guessing is slowed down and one-time codes can be used once.
func securitySettings(wanted Realm) representation {
	policy := wanted.PasswordPolicy
	if policy == "" {
		policy = DefaultPasswordPolicy
	}
	return representation{
		"bruteForceProtected": true, "permanentLockout": false,
		"failureFactor": 10, "waitIncrementSeconds": 60, "maxFailureWaitSeconds": 900, "maxDeltaTimeSeconds": 43200,
		"quickLoginCheckMilliSeconds": 1000, "minimumQuickLoginWaitSeconds": 60,
		"passwordPolicy": policy,
		"otpPolicyType":  "totp", "otpPolicyDigits": 6, "otpPolicyPeriod": 30, "otpPolicyCodeReusable": false,
		"registrationAllowed": false,
	}
}

// ownRealm are the further settings of our own realm.
func ownRealm(wanted Realm) representation {
	settings := securitySettings(wanted)
	settings["displayName"] = wanted.Name
	settings["loginTheme"] = "chatiere"
	settings["internationalizationEnabled"] = true
	settings["supportedLocales"] = []string{"fr", "en"}
	settings["defaultLocale"] = "fr"
	settings["loginWithEmailAllowed"] = true
	settings["duplicateEmailsAllowed"] = false
	settings["accessTokenLifespan"] = 300
	settings["ssoSessionIdleTimeout"] = 3600
	settings["ssoSessionMaxLifespan"] = 36000
	settings["eventsEnabled"] = true
	settings["eventsExpiration"] = year
	settings["adminEventsEnabled"] = true
	settings["attributes"] = representation{"acr.loa.map": levelsOfTrust}
	return settings
}

// ensureSettings writes the realm's settings, or on a shared realm says which of them should be different.
func (c *Client) ensureSettings(ctx context.Context, wanted Realm, report *Report) error {
	realm := representation{}
	if err := c.get(ctx, "", &realm); err != nil {
		return err
	}
	if wanted.Shared {
		for _, name := range realm.merge(securitySettings(wanted)) {
			report.advise("realm setting %s should be %v", name, realm[name])
		}
		return nil
	}
	different := realm.merge(ownRealm(wanted))
	if len(different) == 0 {
		return c.ensureProfile(ctx, report)
	}
	if err := c.put(ctx, "", realm); err != nil {
		return err
	}
	for _, name := range different {
		report.changed("realm setting %s", name)
	}
	return c.ensureProfile(ctx, report)
}

// ensureProfile lets administrators keep attributes that no form shows; ours would be dropped in silence otherwise.
func (c *Client) ensureProfile(ctx context.Context, report *Report) error {
	const path = "/users/profile"
	profile := representation{}
	if err := c.get(ctx, path, &profile); err != nil {
		return err
	}
	if policy := profile.text("unmanagedAttributePolicy"); policy == "ADMIN_EDIT" || policy == "ENABLED" {
		return nil
	}
	profile["unmanagedAttributePolicy"] = "ADMIN_EDIT"
	if err := c.put(ctx, path, profile); err != nil {
		return err
	}
	report.changed("user profile: attributes of administrators are kept")
	return nil
}
