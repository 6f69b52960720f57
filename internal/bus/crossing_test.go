package bus

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// crossings are all subjects on which a role can send anything into the streams'
// account. What is not here stays in the role's own account, whatever it is.
var crossings = map[string]*regexp.Regexp{
	"worker-0": regexp.MustCompile(`^(frost\.main\.(dkg\.B\.(deal|cert|abort)|sign\.B\.(commit|share|refuse)|presence\.(node|twin))\.0|` +
		`\$JS\.API\.(INFO|STREAM\.INFO\.FROST_MAIN_(JOBS|BULK|RESULTS|PENDING|APPROVALS|NOTICES|DEADLETTER|` +
		`WORK|ROUNDS_[0-2]|KEYS|SIGN|PRESENCE|CONTROL)|` +
		`(DIRECT\.GET|STREAM\.MSG\.GET)\.FROST_MAIN_(WORK|ROUNDS_[0-2]|KEYS|SIGN|PRESENCE|CONTROL)|` +
		`DIRECT\.GET\.FROST_MAIN_(WORK|ROUNDS_[0-2]|KEYS|SIGN|PRESENCE|CONTROL)\..*))$`),
	"gateway-a": regexp.MustCompile(`^(frost\.main\.(work\.a\.b\.c\.0\.0|(res|notice|pending)\.[a-z]+\.j|` +
		`dead\.sign\.[a-z]+\.c|presence\.gateway\.a|taken\.x|webhook\.shop|manifest\.B|entry\.B\.0\.(head|deal\.1)|` +
		`(job\.(sign|keygen)|bulk\.sign)\.(alice|bob)|approve\.(erin|frank)|carried\.a|request\.(alice|bob)\.j|` +
		`label\.(alice|bob)\.(key|job)\.x)|` +
		`\$JS\.API\.(INFO|STREAM\.INFO\.FROST_MAIN_[A-Z]+(_[0-2])?|` +
		`STREAM\.CREATE\.FROST_MAIN_(WORK|SIGN|NOTICES|PRESENCE)|` +
		`STREAM\.MSG\.(GET|DELETE)\.FROST_MAIN_PENDING|STREAM\.MSG\.GET\.FROST_MAIN_WEBHOOKS|` +
		`CONSUMER\.(INFO|MSG\.NEXT)\.FROST_MAIN_(JOBS\.gateways-(sign|keygen)|BULK\.gateways-bulk|APPROVALS\.gateways-approvals)|` +
		`(DIRECT\.GET|STREAM\.MSG\.GET)\.FROST_MAIN_` + gatewayReads + `|` +
		`DIRECT\.GET\.FROST_MAIN_` + gatewayReads + `\..*)|` +
		`\$JS\.ACK\.(D\.H\.)?FROST_MAIN_(JOBS\.gateways-(sign|keygen)|BULK\.gateways-bulk|APPROVALS\.gateways-approvals)\..*)$`),
	"administrator-carol": regexp.MustCompile(`^(frost\.main\.control\.carol|\$JS\.API\.(INFO|` +
		`(DIRECT\.GET|STREAM\.MSG\.GET)\.FROST_MAIN_CONTROL))$`),
	"client-alice": regexp.MustCompile(`^(frost\.main\.(job\.(sign|keygen)|bulk\.sign)\.alice|\$JS\.API\.(INFO|` +
		`DIRECT\.GET\.FROST_MAIN_(RESULTS\.frost\.main\.res|NOTICES\.frost\.main\.notice|PENDING\.frost\.main\.pending)\.alice\.j))$`),
	"approver-erin": regexp.MustCompile(`^(frost\.main\.approve\.erin|\$JS\.API\.(INFO|STREAM\.INFO\.FROST_MAIN_PENDING|` +
		`DIRECT\.GET\.FROST_MAIN_PENDING\.frost\.main\.pending\.(alice|bob)\.j))$`),
}

// gatewayReads are the streams that a gateway reads.
const gatewayReads = `(WORK|ROUNDS_[0-2]|KEYS|SIGN|RESULTS|PENDING|NOTICES|PRESENCE|CONTROL|REQUESTS|LABELS|DEADLETTER)`

// hearings are the same for what a role can hear of that account.
var hearings = map[string]*regexp.Regexp{
	"worker-0": regexp.MustCompile(`^frost\.main\.live\.(work|rounds|keys|sign|control)\.x$`),
	"gateway-a": regexp.MustCompile(`^frost\.main\.(live\.(work|rounds|keys|sign|presence|control|dead|requests|labels)\.x|` +
		`result\.(alice|bob)\.j)$`),
	"administrator-carol": regexp.MustCompile(`^$`),
	"client-alice":        regexp.MustCompile(`^frost\.main\.result\.alice\.j$`),
	"approver-erin":       regexp.MustCompile(`^$`),
}

// everySubject is what somebody tries who has a role's credentials.
func everySubject(b *Bus) (all []string) {
	for _, who := range []string{"alice", "bob"} {
		all = append(all, "frost.main.job.sign."+who, "frost.main.job.keygen."+who, "frost.main.job.other."+who,
			"frost.main.bulk.sign."+who, "frost.main.bulk.keygen."+who,
			"frost.main.res."+who+".j", "frost.main.result."+who+".j", "frost.main.notice."+who+".j",
			"frost.main.pending."+who+".j", "frost.main.request."+who+".j", "frost.main.label."+who+".key.x",
			"frost.main.label."+who+".job.x",
			"frost.main.dead.sign."+who+".c")
	}
	for i := range 3 {
		for _, slot := range []string{
			"dkg.B.deal", "dkg.B.cert", "dkg.B.abort", "sign.B.commit", "sign.B.share", "sign.B.refuse",
			"presence.node", "presence.twin",
		} {
			all = append(all, fmt.Sprintf("frost.main.%s.%d", slot, i), fmt.Sprintf("frost.other.%s.%d", slot, i))
		}
	}
	all = append(all, "frost.main.work.a.b.c.0.0", "frost.main.manifest.B",
		"frost.main.entry.B.0.head", "frost.main.entry.B.0.deal.1", "frost.main.live.rounds.x",
		"frost.main.live.keys.x", "frost.main.live.work.x", "frost.main.live.sign.x", "frost.main.live.dead.x",
		"frost.main.live.presence.x", "frost.main.presence.gateway.a", "frost.main.presence.gateway.b", "frost.main.taken.x",
		"frost.main.control.carol", "frost.main.control.dave", "frost.main.live.control.x", "frost.main.carried.a",
		"frost.main.carried.b", "frost.main.carried.carol", "frost.main.live.requests.x", "frost.main.live.labels.x",
		"frost.main.approve.erin", "frost.main.approve.frank", "frost.main.webhook.shop",
		"frost.main.live.x", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.ACCOUNT.PURGE.FLEET",
		"$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE", "$JS.hub.API.INFO", "$SYS.REQ.SERVER.PING",
		"$SYS.REQ.ACCOUNT.FLEET.CONNZ", "$SYS.REQ.CLAIMS.UPDATE", "$SYS.ACCOUNT.FLEET.CONNECT", "_INBOX.x",
		"_INBOX_worker-1.x", "_R_.x", "$NRG.V.x", "$JSC.R.x")
	streams := []string{"FROST_OTHER_KEYS", "KV_x"}
	for _, d := range b.Declared() {
		streams = append(streams, d.Name)
	}
	for _, stream := range streams {
		for _, verb := range []string{
			"CREATE", "UPDATE", "INFO", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE", "LEADER.STEPDOWN",
			"PEER.REMOVE",
		} {
			all = append(all, "$JS.API.STREAM."+verb+"."+stream)
		}
		all = append(all, "$JS.API.DIRECT.GET."+stream, "$JS.API.DIRECT.GET."+stream+".frost.main.res.alice.j",
			"$JS.API.DIRECT.GET."+stream+".frost.main.res.bob.j", "$JS.API.DIRECT.GET."+stream+".frost.main.notice.alice.j",
			"$JS.API.DIRECT.GET."+stream+".frost.main.notice.bob.j",
			"$JS.API.DIRECT.GET."+stream+".frost.main.pending.alice.j", "$JS.API.DIRECT.GET."+stream+".frost.main.pending.bob.j",
			"$JS.API.CONSUMER.CREATE."+stream,
			"$JS.API.CONSUMER.NAMES."+stream)
		for _, consumer := range []string{"gateways-sign", "gateways-keygen", "gateways-bulk", "gateways-approvals", "mine"} {
			for _, verb := range []string{
				"CREATE", "DURABLE.CREATE", "INFO", "DELETE", "MSG.NEXT", "PAUSE", "UNPIN", "RESET", "LEADER.STEPDOWN",
			} {
				all = append(all, "$JS.API.CONSUMER."+verb+"."+stream+"."+consumer)
			}
			all = append(all, "$JS.API.CONSUMER.CREATE."+stream+"."+consumer+".frost.main.job.sign.bob",
				"$JS.ACK."+stream+"."+consumer+".1.1.1.1.0", "$JS.ACK.D.H."+stream+"."+consumer+".1.1.1.1.0.x",
				"$JS.SNAPSHOT.ACK."+stream+".x", "$JS.FC."+stream+"."+consumer+".x")
		}
	}
	return all
}

// TestNothingElseCrosses: of everything that a role can publish, only what is listed
// reaches the account of the streams. The role's own programs are not asked.
func TestNothingElseCrosses(t *testing.T) {
	url, seeds := production(t, func(*server.Options) {})
	admin := connectAs(t, url, seeds["administrator"], "administrator")
	watch := rawAs(t, url, seeds["administrator"], "administrator")
	seen := make(chan *nats.Msg, 1<<16)
	must[*nats.Subscription](t)(watch.ChanSubscribe(">", seen))
	if err := watch.Flush(); err != nil {
		t.Fatal(err)
	}
	for role, allowed := range crossings {
		nc := rawAs(t, url, seeds[role], role)
		all := everySubject(admin)
		for _, subject := range all {
			if err := nc.Publish(subject, []byte("by "+role)); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil { // the server has delivered them to whom they reach
			t.Fatal(err)
		}
		if err := watch.Flush(); err != nil {
			t.Fatal(err)
		}
		came := taken(seen, "by "+role)
		exactly(t, role+" reaches", all, came, allowed)
	}
}

// TestNothingElseIsHeard: of everything that passes in the account of the streams, a
// role hears what is listed, however it asks.
func TestNothingElseIsHeard(t *testing.T) {
	url, seeds := production(t, func(*server.Options) {})
	admin := connectAs(t, url, seeds["administrator"], "administrator")
	for role, allowed := range hearings {
		nc := rawAs(t, url, seeds[role], role)
		all := everySubject(admin)
		heard := make(chan *nats.Msg, 1<<16)
		wildcards := []string{">", "*.>", "frost.main.*.*.*", "frost.main.>", "$JS.>", "$SYS.>", "_INBOX.>", "_R_.>"}
		for _, subject := range append(wildcards, all...) {
			must[*nats.Subscription](t)(nc.ChanSubscribe(subject, heard))
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, subject := range all {
			if err := admin.nc.Publish(subject, []byte("for "+role)); err != nil {
				t.Fatal(err)
			}
		}
		if err := admin.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		exactly(t, role+" hears", all, taken(heard, "for "+role), allowed)
	}
}

// TestAnswersAmongAnnouncements: a worker can have the answers to its questions
// delivered where other workers hear what is stored. That costs them next to nothing.
func TestAnswersAmongAnnouncements(t *testing.T) {
	const questions = 2000
	url, seeds := production(t, func(*server.Options) {})
	admin := connectAs(t, url, seeds["administrator"], "administrator")
	if err := admin.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	var saw collector
	worker := connectAs(t, url, seeds["worker-1"], "worker-1")
	if _, err := worker.Follow(testContext(t), Sign, 0, saw.options()); err != nil {
		t.Fatal(err)
	}
	reads := make(chan *nats.Msg, 1<<16)
	watch := rawAs(t, url, seeds["administrator"], "administrator")
	must[*nats.Subscription](t)(watch.ChanSubscribe("$JS.API.DIRECT.GET.FROST_MAIN_SIGN", reads))
	answers := make(chan *nats.Msg, 1<<16)
	thief := rawAs(t, url, seeds["worker-0"], "worker-0")
	must[*nats.Subscription](t)(thief.ChanSubscribe("frost.main.live.sign.x", answers))
	if err := errors.Join(watch.Flush(), thief.Flush()); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for range questions {
		if err := thief.PublishRequest("$JS.API.STREAM.INFO.FROST_MAIN_SIGN", "frost.main.live.sign.x", nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "answers", func() error {
		if len(answers) < questions {
			return fmt.Errorf("%d of %d", len(answers), questions)
		}
		return nil
	})
	if _, err := admin.Publish(testContext(t), commitSubject(testBatch, 2), []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	saw.waitFor(t, 1) // it comes behind all answers
	if n, most := len(reads), int(time.Since(begun)/junkPause)+10; n > most {
		t.Errorf("%d answers made a follower read %d times, at most %d in this time", questions, n, most)
	}
}

// taken are the subjects of the messages of that text.
func taken(seen <-chan *nats.Msg, text string) (subjects []string) {
	for len(seen) > 0 {
		if m := <-seen; string(m.Data) == text {
			subjects = append(subjects, m.Subject)
		}
	}
	return subjects
}

// exactly wants those of all subjects to have come that are allowed.
func exactly(t *testing.T, what string, all, came []string, allowed *regexp.Regexp) {
	t.Helper()
	for _, subject := range all {
		if has := slices.Contains(came, subject); has != allowed.MatchString(subject) {
			t.Errorf("%s %s: %t", what, subject, has)
		}
	}
}
