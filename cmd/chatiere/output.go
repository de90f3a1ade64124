package main

import (
	"encoding/json"
	"fmt"
)

// answer prints v as JSON when that was asked for, else the text.
func (p *program) answer(v any, text string) error {
	if !p.json {
		_, err := fmt.Fprint(p.stdout, text)
		return err
	}
	encoder := json.NewEncoder(p.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
