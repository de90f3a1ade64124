package keycloak

import (
	"reflect"
	"slices"
	"sort"
)

// representation is a JSON object of Keycloak: we change the few fields we need and send all of it back, since
// fields that are left out may be taken as emptied.
type representation map[string]any

// merge writes wanted into r and names what was different. Maps are merged, everything else is replaced.
func (r representation) merge(wanted representation) []string {
	var different []string
	for key, value := range wanted {
		if inner, ok := value.(representation); ok {
			current, _ := r[key].(map[string]any)
			if current == nil {
				current = map[string]any{}
			}
			for _, name := range representation(current).merge(inner) {
				different = append(different, key+"."+name)
			}
			r[key] = current
			continue
		}
		if !equalValues(r[key], value) {
			r[key] = value
			different = append(different, key)
		}
	}
	sort.Strings(different)
	return different
}

// equalValues compares a decoded value with one of ours: numbers by value, lists without regard to order.
func equalValues(current, wanted any) bool {
	switch wanted := wanted.(type) {
	case int:
		number, ok := current.(float64)
		return ok && number == float64(wanted)
	case []string:
		list, ok := current.([]any)
		if !ok {
			return len(wanted) == 0 && current == nil
		}
		have := make([]string, 0, len(list))
		for _, item := range list {
			text, _ := item.(string)
			have = append(have, text)
		}
		slices.Sort(have)
		return slices.Equal(have, slices.Sorted(slices.Values(wanted)))
	default:
		return reflect.DeepEqual(current, wanted)
	}
}

func (r representation) text(key string) string {
	value, _ := r[key].(string)
	return value
}
