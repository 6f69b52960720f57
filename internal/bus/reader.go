package bus

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// reader asks for direct gets. A plain request would not do: it takes a stored message
// whose header says "Status: 503" for the server's word.
type reader struct {
	b      *Bus
	stream string
	inbox  string
	asked  int
	msgs   chan *nats.Msg
}

func (b *Bus) newReader(stream string, waiting int) (*reader, error) {
	r := &reader{b: b, stream: stream, msgs: make(chan *nats.Msg, waiting)}
	var err error
	if r.inbox, err = b.mail.open(b.nc, r.msgs); err != nil {
		return nil, classify(stream, err)
	}
	return r, nil
}

// errOverflow: late answers to earlier questions took the room of one.
var errOverflow = errors.New("more answers came than the reader keeps: some were dropped")

func (r *reader) close() { r.b.mail.close(r.inbox) }

// readPatience is how long a question waits for the beginning of an answer before it
// is asked once more. Any replica may answer, also one that hangs, and servers draw
// another for each question. The third time is the last: who is only slow has enough
// to do.
var readPatience = [...]time.Duration{time.Second, 2 * time.Second}

// begin asks until an answer begins or ctx ends, and gives its first message.
func (r *reader) begin(ctx context.Context, subject string, question []byte) (*nats.Msg, error) {
	var replies []string
	for {
		reply, err := r.send(subject, question)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
		waiting, done := ctx, context.CancelFunc(func() {})
		if asked := len(replies); asked <= len(readPatience) {
			waiting, done = context.WithTimeout(ctx, readPatience[asked-1])
		}
		m, err := r.receive(waiting, replies...)
		done()
		switch {
		case err == nil:
			return m, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
	}
}

// send asks a question; answers to earlier ones have other subjects.
func (r *reader) send(subject string, question []byte) (reply string, err error) {
	r.asked++
	reply = r.inbox + "." + strconv.Itoa(r.asked)
	if err := r.b.nc.PublishRequest(subject, reply, question); err != nil {
		return "", classify(subject, err)
	}
	return reply, nil
}

func (r *reader) receive(ctx context.Context, replies ...string) (*nats.Msg, error) {
	for {
		select {
		case m, ok := <-r.msgs:
			if !ok {
				return nil, errOverflow
			}
			if slices.Contains(replies, m.Subject) {
				return m, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ask is one question with one answer.
func (r *reader) ask(ctx context.Context, subject string, question []byte) (*nats.Msg, error) {
	ctx, done := r.b.nc.Begin(ctx, subject)
	defer done()
	m, err := r.begin(ctx, subject, question)
	if err == nil && isStatus(m) && !isEnd(m) {
		err = statusError(m)
	}
	return m, err
}

// page is how far one batch got.
type page struct {
	next    uint64 // first sequence not handed on
	end     bool   // nothing more is stored
	stopped bool   // fn returned false
}

// page reads one batch. After an error, p.next still says how far it got.
func (r *reader) page(ctx context.Context, from uint64, filter string, fn func(Message) bool) (p page, err error) {
	p.next = from
	question := map[string]any{"seq": from, "batch": pageMessages, "max_bytes": pageBytes}
	if filter != "" {
		question["next_by_subj"] = r.b.names.prefix + filter
	}
	body, err := json.Marshal(question)
	if err != nil {
		return p, err
	}
	subject := "$JS.API.DIRECT.GET." + r.stream
	ctx, done := r.b.nc.Begin(ctx, subject)
	defer done()
	for m, err := r.begin(ctx, subject, body); ; m, err = r.receive(ctx, m.Subject) {
		if err != nil {
			return p, err
		}
		if isStatus(m) {
			p.end = isEnd(m) || last(m.Header, hdrPending) == "0"
			if !isEnd(m) && last(m.Header, hdrStatus) != "204" {
				return p, statusError(m)
			}
			return p, nil
		}
		got, err := r.b.stored(m, r.stream)
		if err != nil || got.Seq < p.next {
			return r.one(ctx, p, filter, fn)
		}
		p.next = got.Seq + 1
		if !fn(got) {
			p.stopped = true
			return p, nil
		}
	}
}

// one reads the next message through the JSON API, when its headers are
// ambiguous; the caller's next page goes on behind it.
func (r *reader) one(ctx context.Context, p page, filter string, fn func(Message) bool) (page, error) {
	question := map[string]any{"seq": p.next, "next_by_subj": r.b.names.prefix + ">"}
	if filter != "" {
		question["next_by_subj"] = r.b.names.prefix + filter
	}
	got, ok, err := r.b.getJSON(ctx, r.stream, question)
	if err != nil || !ok {
		p.end = err == nil
		return p, err
	}
	p.next = got.Seq + 1
	p.stopped = !fn(got)
	return p, nil
}

// getJSON is $JS.API.STREAM.MSG.GET, which separates the server's fields
// from the writer's headers.
func (b *Bus) getJSON(ctx context.Context, stream string, question map[string]any) (Message, bool, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return Message{}, false, err
	}
	var answer struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	err = b.Ask(ctx, "$JS.API.STREAM.MSG.GET."+stream, body, &answer)
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return Message{}, false, nil
	}
	if err != nil {
		return Message{}, false, err
	}
	got := Message{Data: answer.Message.Data, Seq: answer.Message.Seq, Time: answer.Message.Time}
	got.Subject, _ = b.names.relative(answer.Message.Subject)
	if h, err := nats.DecodeHeadersMsg(answer.Message.Header); err == nil { // malformed: none, readers call it junk
		got.Header = userHeader(h)
	}
	return got, true, nil
}
