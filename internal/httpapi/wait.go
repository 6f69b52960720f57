package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/directory"
)

// signer is the client whose key this gateway holds for the caller.
func (s *Server) signer(p *Principal) (*client.Client, error) {
	if c := s.cfg.Clients[p.Client]; c != nil {
		return c, nil
	}
	return nil, problem("not_held", "sign the job yourself, and have it carried: POST /v1/jobs")
}

// A job that was just stored is in the directory a moment later, and one that it does not have
// after a few seconds is unknown.
var noticed = backoff.Backoff{Min: 5 * time.Millisecond, Max: 200 * time.Millisecond}

const unknownTime = 3 * time.Second

// await returns the job as it is once it has ended, or once the time is over: with a time of
// zero, as it is. directory.ErrNotFound where the directory has not heard of it by then.
func (s *Server) await(ctx context.Context, client, id string, wait time.Duration) (job directory.Job, err error) {
	if wait <= 0 {
		return s.cfg.Directory.Job(client, id)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	var lines <-chan directory.Job
	unknown := time.Now().Add(unknownTime)
	for pause := noticed; ; {
		lines, err = s.cfg.Directory.Watch(ctx, client, id)
		if err == nil || !errors.Is(err, directory.ErrNotFound) || time.Now().After(unknown) ||
			pause.Wait(ctx) != nil {
			break
		}
	}
	if err != nil {
		return job, err
	}
	for job = range lines {
		if job.State.Ended() {
			return job, nil
		}
	}
	return s.cfg.Directory.Job(client, id)
}
