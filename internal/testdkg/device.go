package testdkg

import (
	"cmp"
	"slices"
	"sync"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// device is the key provider of one configuration file, with its calls counted.
type device struct {
	path     string
	config   *config.Node
	provider keyprovider.Provider

	mu    sync.Mutex
	calls map[string][]keyprovider.Call // by operation
}

// observe counts a call to the device.
func (d *device) observe(c keyprovider.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[c.Operation] = append(d.calls[c.Operation], c)
}

func (d *device) report() NodeReport {
	d.mu.Lock()
	defer d.mu.Unlock()
	prices := d.config.Node.KeyProvider.Section.Charges()
	price := map[string]float64{ // of 10,000 calls; logging in to a token costs nothing
		keyprovider.OpSign: prices.Sign, keyprovider.OpDerive: prices.Derive,
		keyprovider.OpPublicKey: prices.PublicKey, keyprovider.OpDescribe: prices.Describe,
	}
	r := NodeReport{Config: d.path, Provider: d.config.Node.KeyProvider.Type}
	for _, operation := range keyprovider.Operations {
		if calls := d.calls[operation]; len(calls) > 0 {
			c := callReport(operation, calls)
			c.CostUSD = float64(c.Count) * price[operation] / 10_000
			r.CostUSD += c.CostUSD
			r.Calls = append(r.Calls, c)
		}
	}
	return r
}

func callReport(operation string, calls []keyprovider.Call) CallReport {
	slices.SortFunc(calls, func(a, b keyprovider.Call) int { return cmp.Compare(a.Took, b.Took) })
	ms := func(c keyprovider.Call) float64 { return float64(c.Took.Microseconds()) / 1000 }
	r := CallReport{
		Operation: operation, Count: len(calls), MedianMS: ms(calls[(len(calls)-1)/2]), MaxMS: ms(calls[len(calls)-1]),
	}
	for _, c := range calls {
		if c.Err != nil {
			r.Failed++
		}
	}
	return r
}
