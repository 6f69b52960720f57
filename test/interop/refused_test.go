package interop_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
)

// keyExpression is a vector of BIP 380.
type keyExpression struct{ What, Key string }

var (
	// extended are key expressions with an extended key.
	extended = regexp.MustCompile(`\[?[^(),{}]*[xt](pub|prv)[^(),{}]*`)
	hardened = regexp.MustCompile(`^\[[0-9a-f]{8}(/[0-9]+)*/[0-9]+[h'](/[0-9]+[h']?)*\]$`)
	parts    = regexp.MustCompile(`^(tr\()(\[.*\])(.*?)(/.*)\)#.*$`)
)

// refusals are the descriptors that the project refuses, with their right checksums
// unless that is what is wrong. It reads one form of descriptor only, which it prints:
// what is invalid is refused, and so is what is valid and of another form.
func refusals(t *testing.T, own string) (refused map[string]string) {
	t.Helper()
	refused = map[string]string{}
	bip380 := vectors[struct {
		Checksums      []struct{ What, Descriptor string }
		Valid, Invalid []keyExpression
	}](t, "bip380.json")
	for _, c := range bip380.Checksums {
		refused["BIP 380, checksums: "+c.What] = c.Descriptor
	}
	for _, k := range append(bip380.Valid, bip380.Invalid...) {
		for what, script := range graft(own, k.Key) {
			refused["BIP 380: "+k.Key+", "+what] = checked(script)
		}
	}
	for _, name := range []string{"bip386.json", "bip389.json"} {
		v := vectors[struct{ Valid, Invalid []struct{ Descriptor string } }](t, name)
		for _, d := range append(v.Valid, v.Invalid...) {
			refused[name+": "+d.Descriptor] = checked(d.Descriptor)
			for _, key := range extended.FindAllString(d.Descriptor, -1) {
				for what, script := range graft(own, key) {
					refused[name+": "+key+", "+what] = checked(script)
				}
			}
		}
	}
	return refused
}

// graft makes descriptors of a key expression: it alone, its origin before our key,
// what follows its key behind ours. What is as ours is no graft.
func graft(own, key string) map[string]string {
	ours := parts.FindStringSubmatch(own)
	grafts := map[string]string{"alone": "tr(" + key + ")", "with our chains": "tr(" + key + "/<0;1>/*)"}
	body := key
	if at := strings.LastIndex(key, "]"); at >= 0 {
		name := "origin"
		if hardened.MatchString(key[:at+1]) {
			name = "hardened origin"
		}
		grafts[name] = "tr(" + key[:at+1] + ours[3] + ours[4] + ")"
		body = key[at+1:]
	}
	if at := strings.Index(body, "/"); at >= 0 && body[at:] != ours[4] {
		grafts["steps"] = "tr(" + ours[2] + ours[3] + body[at:] + ")"
	}
	return grafts
}

// checked has the right checksum.
func checked(script string) string { return script + "#" + must(descriptor.Checksum(script)) }

// testRefused: package client refuses them all, by a code and a sentence, and so does
// frostctl verify --descriptor. The descriptor that they are grafted on is taken.
func (f *fleet) testRefused(t *testing.T) {
	own := must(must(f.keys["bitcoin"][0].Account()).Descriptors()).Both
	verify := []string{"verify", "--keys", f.files["bitcoin"], "--descriptor"}
	if out := f.run(t, "", append(verify, own)...); !strings.Contains(out, "the descriptor is of key ") {
		t.Fatalf("%s: %s", own, out)
	}
	all := refusals(t, own)
	codes := map[client.Code]int{}
	for what, text := range all {
		d, err := client.ParseDescriptor(f.manifest, text)
		refused, ok := errors.AsType[*client.AccountError](err)
		if !ok || d != nil || len(refused.Error()) > 300 {
			t.Errorf("%s: %s is taken, or refused by %v", what, text, err)
			continue
		}
		codes[refused.Code]++
		says := derive.ErrHardened.Error()
		if strings.HasSuffix(what, ", hardened origin") && !strings.Contains(refused.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
		cmd := f.command(t, append(verify, text)...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), refused.Message) {
			t.Errorf("%s: frostctl says %s, %v", what, out, err)
		}
	}
	t.Logf("%d descriptors refused: %v", len(all), codes)
	if codes[client.CodeBadDescriptor] == 0 || codes[client.CodeBadPath] == 0 || len(codes) != 2 || len(all) < 100 {
		t.Errorf("%d descriptors, refused by %v", len(all), codes)
	}
}
