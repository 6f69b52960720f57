package natsconn

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Atomic batches of JetStream (ADR-50 of NATS, nats-server 2.12 and newer): a stream with
// allow_atomic stores messages that carry these headers once the last one has come, all or
// none of them, with one sync of the disk.
const (
	headerBatch       = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
)

// codesNoBatches say of the JetStream API that a stream allows no batches, or none of this size.
var codesNoBatches = []jetstream.ErrorCode{10174, 10199}

// errNoBatches: what leads the stream stores no batches.
var errNoBatches = errors.New("the stream takes no batches")

// storeBatch makes one attempt to store messages of one stream with one write, and returns
// the sequence of the last one; the others' are those before it. After an error none of them
// is stored, or, if its outcome is unknown, some may be. A server that knows of no batches
// stores each for itself: that is errNoBatches, too.
func (c *Conn) storeBatch(ctx context.Context, messages []*nats.Msg) (last uint64, err error) {
	if c.Status() == nats.RECONNECTING {
		return 0, ErrDisconnected // nothing was sent
	}
	id, end := batchID(), len(messages)-1
	for i, m := range messages[:end] {
		if err := c.PublishMsg(batched(m, id, i+1)); err != nil {
			return 0, err // what was sent before is abandoned by the server
		}
	}
	commit := batched(messages[end], id, end+1)
	commit.Header[headerBatchCommit] = []string{"1"}
	waiting, done := c.Begin(ctx, commit.Subject)
	defer done()
	answer, err := c.RequestMsgWithContext(waiting, commit)
	if err != nil {
		if cause := context.Cause(waiting); cause != nil {
			err = cause
		}
		return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return batchAck(answer.Data, id, len(messages))
}

// batched is a copy of a message as the n-th of a batch.
func batched(m *nats.Msg, id string, n int) *nats.Msg {
	header := make(nats.Header, len(m.Header)+3)
	maps.Copy(header, m.Header)
	header[headerBatch] = []string{id}
	header[headerBatchSeq] = []string{strconv.Itoa(n)}
	return &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data}
}

// batchID is one that nobody else can know: whoever does can spoil the batch.
func batchID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// batchAck reads the answer to the last message of a batch.
func batchAck(data []byte, id string, count int) (last uint64, err error) {
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
		Batch    string              `json:"batch"`
		Count    int                 `json:"count"`
	}
	switch err := json.Unmarshal(data, &ack); {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
	case ack.Error != nil && slices.Contains(codesNoBatches, ack.Error.ErrorCode):
		return 0, fmt.Errorf("%w: %w", errNoBatches, ack.Error)
	case ack.Error != nil:
		return 0, ack.Error
	case ack.Batch != id || ack.Count != count || ack.Sequence < uint64(count):
		return 0, fmt.Errorf("%w: the last message was stored alone", errNoBatches)
	}
	return ack.Sequence, nil
}
