package bench_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

const (
	httpPairs = 10
	httpSigns = 150 // one after the other, on each side of a pair
)

// BenchmarkHTTP is what POST /v1/signatures costs beside the Go client's Sign, of one item
// each: the processor time of everything, which is all in this process, in turns. Callers
// are in it, too: the HTTP client, and what package client does for the gateway.
func BenchmarkHTTP(b *testing.B) {
	port := freeport.New(b)
	s := inProcess(b, fleettest.Options{BeforeStart: fleettest.WithHTTP(b, port)})
	over := &caller{b, fmt.Sprintf("http://127.0.0.1:%d", port), s.keysOf(b, "bitcoin")[:100]}
	over.await()
	direct := func() {
		for i := range httpSigns {
			if _, err := s.client.Sign(b.Context(), client.SignRequest{Items: items(over.keys[i%100:i%100+1], 1)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / httpSigns }
	direct()
	over.sign("") // warm
	var plain, keyed []float64
	for i := range httpPairs {
		works := []func(){direct, func() { over.sign("") }, func() { over.sign(fmt.Sprint("round-", i)) }}
		var took [3]time.Duration
		for j := range works { // each begins as often as the others
			k := (i + j) % len(works)
			took[k] = processorTime(b, works[k])
		}
		plain, keyed = append(plain, each(took[1]-took[0])), append(keyed, each(took[2]-took[0]))
	}
	results.Say("processor time that HTTP adds, ms: %.2f, with an idempotency key %.2f", plain, keyed)
	results.RecordSpeed("http_sign_cpu_ms", benchreport.Median(plain), "ms", "<= 1")
	results.Record("http_sign_with_key_cpu_ms", benchreport.Median(keyed), "ms", "")
}

// caller asks for signatures over HTTP.
type caller struct {
	b    *testing.B
	url  string
	keys []client.Key
}

// await waits until the API knows the last of the keys.
func (c *caller) await() {
	c.b.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status, _ := c.do("GET", "/v1/keys/"+c.keys[len(c.keys)-1].ID, "", ""); status == http.StatusOK {
			return
		}
	}
	c.b.Fatal("the directory does not know the keys")
}

// sign asks for httpSigns signatures; round: with idempotency keys.
func (c *caller) sign(round string) {
	c.b.Helper()
	for i := range httpSigns {
		key := round
		if round != "" {
			key = fmt.Sprint(round, "-", i)
		}
		body := fmt.Sprintf(`{"items":[{"key":%q,"message":"%x"}]}`, c.keys[i%len(c.keys)].ID, freshMessage())
		status, text := c.do("POST", "/v1/signatures?wait=60s", key, body)
		var answer struct{ Signatures []struct{ Signature string } }
		if err := json.Unmarshal(text, &answer); err != nil || status != http.StatusOK || len(answer.Signatures) != 1 {
			c.b.Fatalf("%d %s", status, text)
		}
	}
}

func (c *caller) do(method, path, key, body string) (status int, text []byte) {
	c.b.Helper()
	req, err := http.NewRequestWithContext(c.b.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+fleettest.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.b.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		c.b.Fatal(err)
	}
	return resp.StatusCode, text
}
