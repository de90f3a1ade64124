package kopia

import "github.com/kopia/kopia/repo"

// Raw gives tests the repository as the stock program has it.
func (r *Repository) Raw() repo.DirectRepository { return r.repo }
