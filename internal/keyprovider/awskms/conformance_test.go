package awskms

import (
	"crypto/rand"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/conformance"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

func TestConformance(t *testing.T) {
	kmstest.Setenv(t)
	servers := map[string]func(testing.TB) kmstest.Server{
		"moto":  func(t testing.TB) kmstest.Server { return kmstest.StartMoto(t) },
		"fault": func(t testing.TB) kmstest.Server { return kmstest.StartFaultKMS(t) },
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			regions := []string{kmstest.Region, "eu-west-1"}
			multi := func(k kmstest.Key) string {
				arn := s.CreateKey(k.Multi())
				s.Replicate(arn, regions[1])
				return arn
			}
			alias := func(name string, k kmstest.Key) string {
				s.CreateAlias(kmstest.Region, "alias/"+name, s.CreateKey(k))
				return "alias/" + name
			}
			opener := func(o Options) func() (keyprovider.Provider, error) {
				o.Endpoint = s.Endpoint()
				return func() (keyprovider.Provider, error) {
					p, err := Open(t.Context(), o)
					if err != nil {
						return nil, err
					}
					return p, nil
				}
			}
			subjects := map[string]func(t *testing.T) Options{
				"ARN": func(*testing.T) Options {
					return Options{
						Section: Section{KeyID: s.CreateKey(kmstest.Identity), DerivationKeyID: s.CreateKey(kmstest.Derivation)},
					}
				},
				"alias": func(t *testing.T) Options {
					suffix := rand.Text()
					return Options{
						Section: Section{
							KeyID:           alias("id/"+suffix, kmstest.Identity),
							DerivationKeyID: alias("mac/"+suffix, kmstest.Derivation),
							Regions:         regions[:1],
						},
					}
				},
				"regions": func(*testing.T) Options {
					return Options{
						Section: Section{KeyID: multi(kmstest.Identity), DerivationKeyID: multi(kmstest.Derivation), Regions: regions},
					}
				},
				"file": func(t *testing.T) Options {
					o := Options{Section: Section{KeyID: s.CreateKey(kmstest.Identity), Derivation: derivationFile}}
					o.Storage, o.Enrolling = t.TempDir(), true
					return o
				},
			}
			for name, options := range subjects {
				t.Run(name, func(t *testing.T) {
					subject := conformance.Subject{Open: opener(options(t)), OpenOther: opener(options(t))}
					if kms, ok := s.(*kmstest.FaultKMS); ok {
						subject.Hang = func() (release func()) {
							kms.Everywhere(kmstest.Fault{Hang: true})
							return func() { kms.Everywhere() }
						}
					}
					conformance.Run(t, subject)
				})
			}
			t.Run("no derivation", func(t *testing.T) {
				without := func() Options { return Options{Section: Section{KeyID: s.CreateKey(kmstest.Identity)}} }
				conformance.Run(t, conformance.Subject{
					CannotDerive: true, Open: opener(without()), OpenOther: opener(without()),
				})
			})
		})
	}
}
