package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// month is that of price lists: 730 hours.
const month = 730 * time.Hour

// window is what the estimate of a month looks back on, in minutes.
const window = 60

// cost adds up what calls cost. Failed ones count too: the price list of AWS
// speaks of requests and exempts none. Free tiers and discounts are left out, so
// it is an upper bound.
type cost struct {
	prices keyprovider.Prices
	calls  map[string]float64 // USD per call, by operation
	start  time.Time
	total  prometheus.Counter // USD

	mu      sync.Mutex
	minutes [window]minute // a ring, by the minute since start
}

// A minute is what one minute's calls cost.
type minute struct {
	number int // since start
	usd    float64
}

func newCost(f factory, p keyprovider.Prices) *cost {
	c := &cost{
		prices: p, start: time.Now(),
		calls: map[string]float64{
			keyprovider.OpSign: p.Sign / 10_000, keyprovider.OpDerive: p.Derive / 10_000,
			keyprovider.OpPublicKey: p.PublicKey / 10_000, keyprovider.OpDescribe: p.Describe / 10_000,
		},
		total: f.NewCounter(prometheus.CounterOpts{
			Name: "frostfleet_provider_cost_usd_total",
			Help: "Estimated price of the calls to the key provider's device in US dollars, without keys and free tiers."}),
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "frostfleet_provider_month_usd",
		Help: "Estimated price of a month in US dollars, if all of it is like the last hour: calls and keys."}, c.month)
	return c
}

// add counts a call.
func (c *cost) add(operation string) {
	usd := c.calls[operation]
	c.total.Add(usd)
	now := int(time.Since(c.start) / time.Minute)
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.minutes[now%window]
	if m.number != now {
		*m = minute{number: now}
	}
	m.usd += usd
}

// month extrapolates from the last hour: 59 whole minutes and what has passed
// of this one, or all since start, of which it takes a minute at least.
func (c *cost) month() float64 {
	since := time.Since(c.start)
	now := int(since / time.Minute)
	seen := max(min(since, since%time.Minute+(window-1)*time.Minute), time.Minute)
	c.mu.Lock()
	defer c.mu.Unlock()
	var usd float64
	for _, m := range c.minutes {
		if m.number > now-window {
			usd += m.usd
		}
	}
	return usd*float64(month)/float64(seen) + float64(c.prices.Keys)*c.prices.KeyMonth
}
