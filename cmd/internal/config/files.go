package config

import "os"

// unreadable is the fault of a named file that cannot be opened, or none.
func unreadable(path, file string) Faults {
	f, err := os.Open(file)
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		return nil
	}
	k, _ := findKey(path)
	return Faults{k.fault(file, err.Error())}
}
