package htaccess

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// matchesName compares a file's name with the pattern of <Files> or <FilesMatch>.
func matchesName(d directive, name string) (bool, error) {
	args := d.args
	if d.name == "files" && len(args) == 1 {
		return path.Match(strings.ReplaceAll(args[0], "[!", "[^"), name)
	}
	if d.name == "files" && len(args) == 2 && args[0] == "~" {
		args = args[1:]
	}
	if len(args) != 1 {
		return false, errSyntax
	}
	pattern, err := regexp.Compile(args[0])
	return err == nil && pattern.MatchString(name), err
}

// modules are those that Apache has where WordPress usually runs. Both spellings of access are understood, as there.
var modules = map[string]bool{
	"access_compat": true, "alias": true, "auth_basic": true, "authn_core": true, "authn_file": true, "authz_core": true, "authz_host": true,
	"authz_user": true, "autoindex": true, "deflate": true, "dir": true, "env": true, "expires": true, "filter": true, "headers": true, "mime": true,
	"negotiation": true, "rewrite": true, "setenvif": true, "version": true,
}

// version is that of the Apache whose meaning is followed.
var version = [3]int{2, 4, 65}

// condition judges <IfModule>, <IfVersion> and <IfDefine>.
func (e *evaluation) condition(d directive) bool {
	if len(d.args) == 0 {
		return false
	}
	wanted, not := strings.CutPrefix(d.args[0], "!")
	if not && wanted == "" && len(d.args) > 1 {
		wanted = d.args[1]
	}
	switch d.name {
	case "ifmodule":
		name := strings.TrimSuffix(strings.ToLower(wanted), ".c")
		name = strings.TrimSuffix(strings.TrimPrefix(name, "mod_"), "_module")
		return modules[name] != not
	case "ifversion":
		return e.ifVersion(d.args)
	}
	return not // nothing is defined
}

func (e *evaluation) ifVersion(args []string) bool {
	operator, not := strings.CutPrefix(args[0], "!")
	if len(args) == 1 {
		operator, args = "=", []string{"", args[0]}
	}
	order, err := compareVersion(args[1])
	if err != nil {
		e.note("ifversion")
		return true
	}
	holds := false
	switch operator {
	case "=", "==":
		holds = order == 0
	case ">":
		holds = order > 0
	case ">=":
		holds = order >= 0
	case "<":
		holds = order < 0
	case "<=":
		holds = order <= 0
	default:
		e.note("ifversion")
		return true
	}
	return holds != not
}

// compareVersion compares our version with another, in as many parts as that one has.
func compareVersion(other string) (int, error) {
	parts := strings.Split(other, ".")
	if len(parts) > len(version) {
		return 0, errSyntax
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return 0, err
		}
		if version[i] != n {
			return version[i] - n, nil
		}
	}
	return 0, nil
}
