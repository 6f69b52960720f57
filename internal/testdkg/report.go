package testdkg

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report is what a run found; frostctl test-dkg --json prints it.
type Report struct {
	N       int          `json:"n"`
	T       int          `json:"t"`
	Keys    []KeyReport  `json:"keys"`
	Nodes   []NodeReport `json:"nodes"`
	Seconds float64      `json:"seconds"`
}

// KeyReport is of one key. Its address is worth nothing: the shares are gone.
type KeyReport struct {
	Chain         string  `json:"chain"`
	Suite         string  `json:"suite"`
	Address       string  `json:"address"`
	KeygenSeconds float64 `json:"keygen_seconds"`
	SignSeconds   float64 `json:"sign_seconds"`
	Verified      bool    `json:"verified"`
}

// NodeReport is what one device was asked, in the order of
// keyprovider.Operations.
type NodeReport struct {
	Config   string       `json:"config"`
	Provider string       `json:"provider"`
	Calls    []CallReport `json:"calls"`
	CostUSD  float64      `json:"cost_usd"` // by the prices of its configuration
}

// CallReport is of one operation.
type CallReport struct {
	Operation string  `json:"operation"`
	Count     int     `json:"count"`
	Failed    int     `json:"failed"` // tried again, or the run would have failed
	MedianMS  float64 `json:"median_ms"`
	MaxMS     float64 `json:"max_ms"`
	CostUSD   float64 `json:"cost_usd"`
}

// Print writes the report as two tables.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	row("chain\tkeygen\tsign\tsignature")
	for _, k := range r.Keys {
		row("%s\t%.2f s\t%.2f s\t%s, verified", k.Chain, k.KeygenSeconds, k.SignSeconds, k.Suite)
	}
	row("\nnode\tprovider\toperation\tcalls\tfailed\tmedian\tslowest\tUSD")
	for _, n := range r.Nodes {
		for _, c := range n.Calls {
			row("%s\t%s\t%s\t%d\t%d\t%.1f ms\t%.1f ms\t%.6f",
				n.Config, n.Provider, c.Operation, c.Count, c.Failed, c.MedianMS, c.MaxMS, c.CostUSD)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d: keys generated, signatures verified, everything removed. %.1f s.\n",
		r.T, r.N, r.Seconds)
	return err
}
