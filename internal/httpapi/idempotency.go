package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// jobLife is how long the fleet works on a job that came over HTTP.
const jobLife = 30 * time.Minute

// claim gives a request its job: with an idempotency key always the same one, at whichever
// gateway, or a problem where another body had the key.
func (s *Server) claim(ctx context.Context, p *Principal, kind wire.Kind, count int, key string, body any) (
	id string, expires time.Time, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", expires, err
	}
	r := directory.Request{
		Client: p.Client, Kind: kind, Count: count, By: p.Name, Time: s.cfg.Now(),
		Digest:  sha256.Sum256(append([]byte(requestOf(ctx).route+"\n"), text...)),
		Expires: s.cfg.Now().Add(jobLife).Truncate(time.Second),
	}
	if key == "" {
		made, err := uuid.NewV7()
		if err != nil {
			return "", expires, err
		}
		r.Job = made.String()
	} else {
		r.Job = keyedJob(p.Client, key)
	}
	stands, _, err := s.cfg.Directory.Claim(ctx, r)
	if err != nil {
		return "", expires, err
	}
	if stands.Digest != r.Digest {
		return "", expires, problem("idempotency_key_reused", "another request of this client had this Idempotency-Key")
	}
	return stands.Job, stands.Expires, nil
}

// keyedJob is the id of the job that an idempotency key stands for: a UUID of version 8
// (RFC 9562).
func keyedJob(client, key string) string {
	sum := sha256.Sum256([]byte("frostfleet/http-job/v1|" + client + "|" + key))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
