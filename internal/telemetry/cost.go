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
	start time.Time
	total prometheus.Counter // USD

	mu      sync.Mutex
	calls   uint64
	usd     float64 // of them: what total has
	prices  keyprovider.Prices
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
		total: f.NewCounter(prometheus.CounterOpts{
			Name: "frostfleet_provider_cost_usd_total",
			Help: "Estimated price of the calls to the key provider's device in US dollars, without keys and free tiers."}),
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "frostfleet_provider_month_usd",
		Help: "Estimated price of a month in US dollars, if all of it is like the last hour: calls and keys."}, c.month)
	return c
}

// perCall is the price of one call in USD.
func perCall(p *keyprovider.Prices, operation string) float64 {
	const listed = 10_000 // calls, of which price lists give the price
	switch operation {
	case keyprovider.OpSign:
		return p.Sign / listed
	case keyprovider.OpDerive:
		return p.Derive / listed
	case keyprovider.OpPublicKey:
		return p.PublicKey / listed
	case keyprovider.OpDescribe:
		return p.Describe / listed
	}
	return 0
}

// setPrices has calls from now on cost something else. The number of keys stays: another
// one needs a restart.
func (c *cost) setPrices(p keyprovider.Prices) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.Keys = c.prices.Keys
	c.prices = p
}

// add counts a call.
func (c *cost) add(operation string) {
	now := int(time.Since(c.start) / time.Minute)
	c.mu.Lock()
	defer c.mu.Unlock()
	usd := perCall(&c.prices, operation)
	c.total.Add(usd)
	c.calls++
	c.usd += usd
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

// sum is how many calls there were, and what they cost in US dollars.
func (c *cost) sum() (calls uint64, usd float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, c.usd
}
