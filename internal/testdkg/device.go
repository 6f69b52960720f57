package testdkg

import (
	"slices"
	"sync"
	"time"

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
	r := NodeReport{Config: d.path, Provider: d.config.Node.KeyProvider.Type}
	for _, operation := range keyprovider.Operations {
		calls := d.calls[operation]
		if len(calls) == 0 {
			continue
		}
		c := callReport(operation, calls)
		c.CostUSD = float64(len(calls)) * price(d.config.Node.KeyProvider.Section.Charges(), operation) / 10_000
		r.CostUSD += c.CostUSD
		r.Calls = append(r.Calls, c)
	}
	return r
}

func callReport(operation string, calls []keyprovider.Call) CallReport {
	r := CallReport{Operation: operation, Count: len(calls)}
	var took []time.Duration
	for _, c := range calls {
		took = append(took, c.Took)
		if c.Err != nil {
			r.Failed++
		}
	}
	slices.Sort(took)
	r.MedianMS, r.MaxMS = milliseconds(took[(len(took)-1)/2]), milliseconds(took[len(took)-1])
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// price of 10,000 calls. Logging in to a token costs nothing.
func price(p keyprovider.Prices, operation string) float64 {
	return map[string]float64{
		keyprovider.OpSign: p.Sign, keyprovider.OpDerive: p.Derive,
		keyprovider.OpPublicKey: p.PublicKey, keyprovider.OpDescribe: p.Describe,
	}[operation]
}
