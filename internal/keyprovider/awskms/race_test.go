package awskms

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// A regionScript says what each region does: after how long, and with what outcome.
// One that is not named answers at once.
type regionScript map[string]struct {
	after time.Duration
	with  keyprovider.Reason
}

const never = 365 * 24 * time.Hour

// three gives a key in regions a, b and c, and a provider that hedges after
// 500 ms.
func three() (*Provider, *key) {
	log := slog.New(slog.DiscardHandler)
	k := &key{configured: "alias/node"}
	for _, name := range []string{"a", "b", "c"} {
		k.replicas = append(k.replicas, &replica{key: k, region: &region{name: name, log: log}})
	}
	p := &Provider{identity: k}
	p.opt.HedgeAfter.Duration = 500 * time.Millisecond
	return p, k
}

// run asks once. It gives the region that answered, the order in which regions
// were asked, those that were cancelled, and how long it took.
func (s regionScript) run(
	ctx context.Context, p *Provider, k *key,
) (out, asked, cancelled string, took time.Duration, err error) {
	events := make(chan string, 10)
	start := time.Now()
	out, err = ask(ctx, p, k.replicas, func(ctx context.Context, at *replica) (string, error) {
		name := at.region.name
		events <- name
		select {
		case <-time.After(s[name].after):
		case <-ctx.Done():
			reason := keyprovider.Canceled
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				reason = keyprovider.Timeout
			}
			events <- "-" + name
			return "", k.fault(reason, sign, "", ctx.Err())
		}
		if with := s[name].with; with != "" && with != keyprovider.OK {
			return "", k.fault(s[name].with, sign, "", &cause{text: name + " " + string(s[name].with)})
		}
		return name, nil
	})
	took = time.Since(start)
	p.calls.Wait()
	close(events)
	for e := range events {
		if name, lost := strings.CutPrefix(e, "-"); lost {
			cancelled += name
		} else {
			asked += e
		}
	}
	lost := strings.Split(cancelled, "")
	slices.Sort(lost)
	return out, asked, strings.Join(lost, ""), took, err
}

func TestRegions(t *testing.T) {
	const ms = time.Millisecond
	const ok, off, busy, down = keyprovider.OK, keyprovider.Disabled, keyprovider.Throttled, keyprovider.Unavailable
	tests := []struct {
		name             string
		regionScript     regionScript
		out              string // region, or reason of the error
		asked, cancelled string
		took             time.Duration
		avoided          string
	}{
		{"first answers", regionScript{"a": {100 * ms, ok}}, "a", "a", "", 100 * ms, ""},
		{"first throttled", regionScript{"a": {20 * ms, busy}, "b": {100 * ms, ok}}, "b", "ab", "", 120 * ms, "a"},
		{"first slow", regionScript{"a": {2000 * ms, ok}, "b": {100 * ms, ok}}, "b", "ab", "a", 600 * ms, "a"},
		{"first slow, but sooner", regionScript{"a": {550 * ms, ok}, "b": {100 * ms, ok}}, "a", "ab", "b", 550 * ms, ""},
		{"first hangs, second down", regionScript{"a": {never, ok}, "b": {10 * ms, down}, "c": {10 * ms, ok}},
			"c", "abc", "a", 520 * ms, "ab"},
		{"two hang", regionScript{"a": {never, ok}, "b": {never, ok}, "c": {10 * ms, ok}}, "c", "abc", "ab", 1010 * ms, "ab"},
		{"all down", regionScript{"a": {0, down}, "b": {0, busy}, "c": {0, down}}, "unavailable", "abc", "", 0, "abc"},
		{"refused", regionScript{"a": {10 * ms, off}, "b": {0, ok}}, "disabled", "a", "", 10 * ms, ""},
		{"refused late", regionScript{"a": {510 * ms, off}, "b": {100 * ms, ok}}, "disabled", "ab", "b", 510 * ms, ""},
		{"second refuses", regionScript{"a": {700 * ms, ok}, "b": {10 * ms, off}, "c": {500 * ms, ok}},
			"a", "abc", "c", 700 * ms, "b"},
		{"second refuses, third answers", regionScript{"a": {never, ok}, "b": {10 * ms, off}, "c": {10 * ms, ok}},
			"c", "abc", "a", 520 * ms, "ab"},
		{"second refuses, then first fails", regionScript{"a": {700 * ms, down}, "b": {10 * ms, off}, "c": {500 * ms, off}},
			"unavailable", "abc", "", 1010 * ms, "abc"},
		{"first fails, then second refuses", regionScript{"a": {0, down}, "b": {10 * ms, off}, "c": {0, ok}},
			"c", "abc", "", 10 * ms, "ab"},
		{"first throttled, others refuse", regionScript{"a": {0, busy}, "b": {0, off}, "c": {0, off}},
			"throttled", "abc", "", 0, "abc"},
		{"others refuse, first refuses late", regionScript{"a": {700 * ms, off}, "b": {10 * ms, off}, "c": {10 * ms, off}},
			"disabled", "abc", "", 700 * ms, "bc"},
		{"second refuses, then no time", regionScript{"a": {never, ok}, "b": {0, off}, "c": {never, ok}},
			"timeout", "abc", "ac", 5 * time.Second, "abc"},
		{"deadline", regionScript{"a": {never, ok}, "b": {never, ok}, "c": {never, ok}},
			"timeout", "abc", "abc", 5 * time.Second, "abc"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, k := three()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				out, asked, cancelled, took, err := c.regionScript.run(ctx, p, k)
				if err != nil {
					out = string(keyprovider.ReasonOf(err))
				}
				avoided := ""
				for _, at := range k.replicas {
					if at.region.avoided(time.Now()) {
						avoided += at.region.name
					}
				}
				if out != c.out || asked != c.asked || cancelled != c.cancelled || took != c.took || avoided != c.avoided {
					t.Errorf("gave %q, asked %q, cancelled %q, took %s, avoids %q: %v", out, asked, cancelled, took, avoided, err)
				}
			})
		})
	}
}

// TestEveryFailureIsTold: the error of several regions has them all.
func TestEveryFailureIsTold(t *testing.T) {
	p, k := three()
	s := regionScript{"a": {0, keyprovider.Unavailable}, "b": {0, keyprovider.Throttled}, "c": {0, keyprovider.Disabled}}
	_, _, _, _, err := s.run(t.Context(), p, k)
	wants(t, err, keyprovider.Unavailable, "a unavailable; also throttled: b throttled; also disabled: c disabled")
}

// TestRefusalsWhileFirstIsAvoided: the preferred region is asked at the end,
// and its word counts.
func TestRefusalsWhileFirstIsAvoided(t *testing.T) {
	const off, busy = keyprovider.Disabled, keyprovider.Throttled
	for _, c := range []struct {
		regionScript regionScript
		out, asked   string
	}{
		{regionScript{"b": {0, off}}, "c", "bc"},
		{regionScript{"b": {0, off}, "c": {0, off}}, "a", "bca"},
		{regionScript{"a": {0, busy}, "b": {0, off}, "c": {0, off}}, "throttled", "bca"},
		{regionScript{"a": {0, off}, "b": {0, off}, "c": {0, busy}}, "disabled", "bca"},
	} {
		p, k := three()
		k.replicas[0].region.fails("test")
		out, asked, _, _, err := c.regionScript.run(t.Context(), p, k)
		if err != nil {
			out = string(keyprovider.ReasonOf(err))
		}
		if out != c.out || asked != c.asked {
			t.Errorf("%v: gave %q, asked %q: %v", c.regionScript, out, asked, err)
		}
	}
}

// TestFailoverAndBack: a region that failed is left alone for 30 seconds, then
// asked first again, and used when nothing else is left.
func TestFailoverAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, k := three()
		log := &logged{}
		for _, at := range k.replicas {
			at.region.log = log.logger()
		}
		step := func(s regionScript, out, asked string) {
			t.Helper()
			gotOut, gotAsked, _, _, err := s.run(t.Context(), p, k)
			if gotOut != out || gotAsked != asked {
				t.Fatalf("%s after asking %s (%v), want %s after %s", gotOut, gotAsked, err, out, asked)
			}
		}
		good, aDown := regionScript{}, regionScript{"a": {0, keyprovider.Unavailable}}
		step(good, "a", "a")
		step(aDown, "b", "ab")
		step(good, "b", "b") // a is well again, but nobody asks
		time.Sleep(avoidTime - time.Millisecond)
		step(good, "b", "b")
		time.Sleep(time.Millisecond)
		step(aDown, "b", "ab") // still down
		step(good, "b", "b")
		time.Sleep(avoidTime)
		step(good, "a", "a") // back
		step(good, "a", "a")
		for _, at := range k.replicas {
			at.region.fails("test")
		}
		step(good, "a", "a") // all avoided is none avoided
		if text := log.String(); strings.Count(text, "region fails") != 4 || strings.Count(text, "works again") != 2 {
			t.Errorf("each change is logged once:\n%s", text)
		}
	})
}

// TestCancelSaysNothingAboutRegions: a caller who gives up is no failure of a
// region.
func TestCancelSaysNothingAboutRegions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, k := three()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, _, _, took, err := regionScript{"a": {after: never}, "b": {after: never}, "c": {after: never}}.run(ctx, p, k)
		if !errors.Is(err, context.Canceled) || took != time.Second {
			t.Fatalf("%v after %s", err, took)
		}
		for _, at := range k.replicas {
			if at.region.avoided(time.Now()) {
				t.Errorf("%s is avoided", at.region.name)
			}
		}
	})
}
