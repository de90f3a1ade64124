package htaccess_test

import (
	"strings"
	"testing"
)

// What stands between a condition's lines counts when the condition holds for Apache 2.4 as WordPress usually runs on it.
func TestConditionsHoldAsForApache(t *testing.T) {
	for condition, holds := range map[string]bool{
		"IfModule mod_rewrite.c": true, "IfModule rewrite_module": true, "IfModule !mod_rewrite.c": false, "IfModule ! mod_rewrite.c": false,
		"IfModule mod_php.c": false, "IfModule !mod_php.c": true, "IfModule": false,
		"IfVersion 2.4": true, "IfVersion 2.2": false, "IfVersion = 2.4": true, "IfVersion == 2.4.1": false, "IfVersion !2.4": true,
		"IfVersion > 2.2": true, "IfVersion > 2.4": false, "IfVersion >= 2.4": true, "IfVersion >= 2.5": false, "IfVersion >= 3": false,
		"IfVersion < 2.5": true, "IfVersion < 2.4": false, "IfVersion <= 2.4": true, "IfVersion <= 2.2": false, "IfVersion !< 2.4": true, "IfVersion !>= 2.4": false,
		"IfDefine SSL": false, "IfDefine !SSL": true,
		// What cannot be compared is noted, and its content counts: it mostly denies something.
		"IfVersion >= 2.x": true, "IfVersion ~ 2.4": true, "IfVersion = 2.4.1.2": true,
	} {
		name, _, _ := strings.Cut(condition, " ")
		text := "<" + condition + ">\nRequire all denied\n</" + name + ">"
		if got := check(t, map[string]string{"u": text}, "u/a").Denied; got != holds {
			t.Errorf("<%s> holds: %v", condition, got)
		}
	}
}
