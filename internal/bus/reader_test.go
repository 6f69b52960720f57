package bus

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestReplicaHangs: a question that nobody begins to answer is asked again, since one
// replica in three may hang, and an answer to any of the questions will do.
func TestReplicaHangs(t *testing.T) {
	b, s := newTestBus(t)
	const stream = "FROST_MAIN_HUNG"
	for name, read := range map[string]func(context.Context, *reader) (end bool, err error){
		"one message": func(ctx context.Context, r *reader) (bool, error) {
			m, err := r.ask(ctx, "$JS.API.DIRECT.GET."+stream, nil)
			return err == nil && isEnd(m), err
		},
		"a page": func(ctx context.Context, r *reader) (bool, error) {
			p, err := r.page(ctx, 1, "", func(Message) bool { return true })
			return p.end, err
		},
	} {
		for which := range 3 {
			t.Run(fmt.Sprint(name, which), func(t *testing.T) {
				d := &rawDialer{}
				replica := rawConn(t, s.URL(), nats.SetCustomDialer(d))
				var replies []string
				must[*nats.Subscription](t)(replica.Subscribe("$JS.API.DIRECT.GET."+stream, func(m *nats.Msg) {
					if replies = append(replies, m.Reply); len(replies) == 3 {
						const none = "NATS/1.0 404 Message Not Found\r\n\r\n" // nats.go can't send that
						fmt.Fprintf(d.conn, "HPUB %s %d %d\r\n%s\r\n", replies[which], len(none), len(none), none)
					}
				}))
				if err := replica.Flush(); err != nil {
					t.Fatal(err)
				}
				r := must[*reader](t)(b.newReader(stream, 4*pageMessages))
				defer r.close()
				if end, err := read(testContext(t), r); err != nil || !end {
					t.Errorf("%t, %v", end, err)
				}
			})
		}
	}
}
