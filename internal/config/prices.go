package config

// Prices is the section [node.key_provider.prices]: what the device's owner
// charges, for the estimate of monthly costs.
type Prices struct {
	Sign      float64 `toml:"sign"`       // USD per 10,000 calls, as the next three
	Derive    float64 `toml:"derive"`     //
	Describe  float64 `toml:"describe"`   //
	PublicKey float64 `toml:"public_key"` //
	KeyMonth  float64 `toml:"key_month"`  // USD per key and month
}

// awsPrices are those of AWS KMS in most regions: requests with asymmetric
// keys other than RSA 2048, other requests, and customer managed keys. The
// guide docs/aws-kms.md cites them with their date.
var awsPrices = Prices{Sign: 0.15, PublicKey: 0.15, Derive: 0.03, Describe: 0.03, KeyMonth: 1}

const maxPrice = 1e6

// check fills in the defaults of the type; without any, calls cost nothing.
func (p *Prices) check(s *source, kind string) {
	var defaults Prices
	if kind == AWSKMS {
		defaults = awsPrices
	}
	for _, price := range []struct {
		key      string
		value    *float64
		standard float64
	}{
		{"sign", &p.Sign, defaults.Sign},
		{"derive", &p.Derive, defaults.Derive},
		{"describe", &p.Describe, defaults.Describe},
		{"public_key", &p.PublicKey, defaults.PublicKey},
		{"key_month", &p.KeyMonth, defaults.KeyMonth},
	} {
		key := providerTable + "prices." + price.key
		switch {
		case !s.has(key):
			*price.value = price.standard
		case kind == Software:
			s.fail(key, "is not for type %q, which costs nothing", kind)
		case !(*price.value >= 0 && *price.value <= maxPrice): // also refuses nan
			s.fail(key, "is %g: use 0 to %g USD", *price.value, maxPrice)
		}
	}
}
