package console_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestVerdict: the first line says what the fleet can do, and below it stands what matters now
// and nothing else.
func TestVerdict(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.set("/v1/approvals", object{"approvals": []object{}})
	node := func(generation, index int, present bool) object {
		return object{"generation": generation, "index": index, "name": fmt.Sprint("worker-", index), "present": present,
			"load": 0, "backlog": 0}
	}
	fleet := func(ready bool, reason string, nodes ...object) {
		f.set("/v1/fleet", object{"fleet": "main", "network": "mainnet", "manifest": strings.Repeat("ab", 32), "n": 3, "t": 2,
			"ready": ready, "reason": reason, "version": "v1", "gateways": []string{"gateway0"}, "nodes": nodes,
			"demand":    object{"queued": 0, "longest": 0},
			"resharing": object{"done": 0, "total": 0, "paused": false}})
	}
	all := []object{node(1, 0, true), node(1, 1, true), node(1, 2, true)}
	fleet(true, "", all...)
	b := opened(t, f, wide)
	shows := func(word string, lines ...string) {
		t.Helper()
		b.until(`document.querySelector('.verdict')?.innerText.startsWith(` + quoted(word) + `)`)
		for _, line := range lines {
			b.sees(line)
		}
		if n := value[int](b, `document.querySelectorAll('.verdict + ul li').length`); n != len(lines) {
			t.Errorf("%s: %d lines, want %d", word, n, len(lines))
		}
	}
	shows("✓ Ready")
	fleet(true, "", node(1, 0, true), node(1, 1, false), node(1, 2, true))
	shows("! Signs, with nodes missing", "that needs all 3 nodes", "No further node may be lost")
	fleet(true, "", node(1, 0, true), node(1, 1, false), node(1, 2, false))
	shows("✕ Can’t sign", "1 more node must come back")
	fleet(false, "the bus is away", all...)
	shows("✕ Not ready", "This gateway: the bus is away.")
	claimed := node(1, 2, true)
	claimed["foreign"], claimed["policy"] = true, strings.Repeat("cd", 32)
	fleet(true, "", node(1, 0, true), node(1, 1, true), claimed)
	shows("✓ Ready", "different policies", "claims another manifest")
	fleet(true, "", append(all[:3:3], node(2, 0, true), node(2, 1, true), node(2, 2, true))...)
	shows("✓ Ready", "3 of those 3 are here")
	f.set("/v1/freezes", object{"freezes": []object{{"scope": "client", "name": "shop", "administrator": "anna"},
		{"scope": "fleet", "administrator": "ben"}}})
	fleet(true, "", all...)
	b.do(chromedp.Reload())
	shows("! Frozen", "client shop (by anna); the whole fleet (by ben)")
}

// TestUnreadable: what can't be read, is not signed by its client, or is of hashes alone, says so
// where it would be approved; of the first two there is no way to approve.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	change := func(with object) {
		f.mu.Lock()
		defer f.mu.Unlock()
		waiting := f.answers["GET /v1/approvals"].(object)["approvals"].([]object)[0]
		for name, v := range with {
			waiting[name] = v
		}
	}
	b := opened(t, f, wide)
	b.goes("#/approvals/" + f.client + "/" + f.jobID)
	b.arrives("Approve " + f.jobID)
	b.until(`document.querySelector('#approve')`)
	change(object{"kind": "raw", "reading": object{"text": "2 signatures of hashes", "meaning": object{"kind": "raw",
		"payments": []object{}, "outflow": []object{}, "unclear": []object{}, "refused": []object{}, "fee": 0}}})
	b.sees("Nobody can read this job.")
	b.sees("2 signatures of hashes")
	change(object{"reading": object{"text": "a", "meaning": object{"kind": "psbt", "payments": []object{}, "fee": 1,
		"outflow": []object{}, "refused": []object{}, "unclear": []object{{"code": "not_understood", "reason": "output 1 <b>"}}}}})
	b.sees("Not all of it is clear, or would be signed.")
	b.sees("output 1 <b>")
	b.sees("nothing to others")
	change(object{"verified": false, "error": "bad_signature: it is not the client's", "reading": object{"text": "",
		"error": "it can't be read"}})
	b.sees("Don’t approve this job.")
	b.sees("it is not the client's")
	b.sees("The gateway can’t say what this job means.")
	b.until(`!document.querySelector('#approve')`)
}
