package apiclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"chatiere/cmd/internal/config"
	"chatiere/panel/api"
	"chatiere/tenants"
	"chatiere/tenants/records"
	"chatiere/tenants/worker"
)

var (
	// ErrNothingToAccept: the worker does not refuse the records.
	ErrNothingToAccept = errors.New("the worker works by these records already: there is nothing to accept")
	// errNoWorker: nobody is there who would act on consent.
	errNoWorker = errors.New("the worker does not answer; start it first, it says what it refuses")
)

const (
	acceptTime = time.Minute
	acceptPoll = 500 * time.Millisecond
)

// AcceptRecords gives root's consent that the worker of this data root works by the records it refuses, and waits until it
// does. It returns what the worker had to say against them. Only who may write to the data root can call it.
func AcceptRecords(ctx context.Context, c config.Config, by string) (refused string, err error) {
	found, err := recordsCheck(ctx, c)
	if err != nil {
		return "", err
	}
	if found.State != api.CheckRed {
		return "", ErrNothingToAccept
	}
	p := c.Paths()
	if err := (records.Consent{Path: p.RecordsConsent()}).Give(records.File{Path: p.RecordsMark()}, by, c.Now()); err != nil {
		return found.Found, err
	}
	ctx, cancel := context.WithTimeout(ctx, acceptTime)
	defer cancel()
	for {
		if now, err := recordsCheck(ctx, c); err == nil && now.State == api.CheckGreen {
			return found.Found, nil
		}
		select {
		case <-ctx.Done():
			return found.Found, fmt.Errorf("waiting for the worker to take the records up (its log says why it does not): %w", ctx.Err())
		case <-time.After(acceptPoll):
		}
	}
}

func recordsCheck(ctx context.Context, c config.Config) (api.Check, error) {
	if _, err := os.Stat(c.Paths().WorkerSocket()); err != nil {
		return api.Check{}, fmt.Errorf("%w: %w", errNoWorker, err)
	}
	var d api.Diagnosis
	err := worker.NewClient(c.Paths().WorkerSocket()).Examine(ctx, &d)
	if errors.Is(err, tenants.ErrUnavailable) {
		return api.Check{}, errNoWorker
	}
	if err != nil {
		return api.Check{}, err
	}
	for _, check := range d.Checks {
		if check.Name == "records" {
			return check, nil
		}
	}
	return api.Check{}, errNoWorker
}
