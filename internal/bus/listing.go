package bus

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxListed bounds the subjects that a listing returns.
const maxListed = 1 << 16

// Subjects are those under a filter on which a stream has messages now, as its leader knows
// them. It reads no message. More than 65,536 are ErrTooMany.
func (b *Bus) Subjects(ctx context.Context, stream Stream, filter string) ([]string, error) {
	if err := checkFilter(filter); err != nil {
		return nil, err
	}
	name := b.names.stream(stream)
	var all []string
	for {
		question, err := json.Marshal(map[string]any{"subjects_filter": b.names.prefix + filter, "offset": len(all)})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
		var answer struct {
			jetstream.StreamInfo
			Total int `json:"total"` // subjects, over all pages
		}
		err = b.Ask(ctx, "$JS.API.STREAM.INFO."+name, question, &answer)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", filter, err)
		}
		for full := range answer.State.Subjects {
			if subject, ok := b.names.relative(full); ok {
				all = append(all, subject)
			}
		}
		switch {
		case len(all) > maxListed || answer.Total > maxListed:
			return nil, fmt.Errorf("listing %s: %w", filter, ErrTooMany)
		case len(answer.State.Subjects) == 0 || len(all) >= answer.Total:
			return all, nil
		}
	}
}

// DeleteMessage takes a message out of a stream. That it is not there any more is an error, too:
// look at the subject again.
func (b *Bus) DeleteMessage(ctx context.Context, stream Stream, seq uint64) error {
	name := b.names.stream(stream)
	question, err := json.Marshal(map[string]any{"seq": seq, "no_erase": true})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.opt.AckTimeout)
	defer cancel()
	var answer struct{}
	if err := b.Ask(ctx, "$JS.API.STREAM.MSG.DELETE."+name, question, &answer); err != nil {
		return fmt.Errorf("deleting message %d: %w", seq, err)
	}
	return nil
}
