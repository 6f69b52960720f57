package awskms

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Open finds the keys and proves them: what they are, that they work, and what
// the public key is. Its errors are *keyprovider.Error where KMS was asked.
// Without a derivation key it succeeds, and Derive fails.
func Open(ctx context.Context, o Options) (*Provider, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.HedgeAfter.Duration = cmp.Or(o.HedgeAfter.Duration, defaultHedge)
	o.reach, o.source = cmp.Or(o.reach, reachTime), cmp.Or(o.source, sourceTime)
	p := &Provider{opt: o, hangUp: func() {}, endSource: func() {}}
	err := p.connect(ctx)
	if err == nil {
		err = p.findIdentity(ctx)
	}
	if err == nil {
		err = p.findDerivation(ctx)
	}
	if err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// connect makes the clients: nothing is sent to KMS yet.
func (p *Provider) connect(ctx context.Context) error {
	cfg, err := loadSDK(ctx, p.opt)
	if err != nil {
		return err
	}
	p.bindProcess(&cfg)
	transport := cfg.HTTPClient.(*awshttp.BuildableClient).GetTransport() // with the authorities of AWS_CA_BUNDLE
	p.hangUp = transport.CloseIdleConnections
	known := map[string]*region{}
	find := func(name string) (*region, error) {
		if known[name] != nil {
			return known[name], nil
		}
		client := regionClient(cfg, p.opt, name, transport)
		base := client.Options().BaseEndpoint
		if base != nil && badEndpoint(*base) != "" {
			return nil, fmt.Errorf("the endpoint %s: correct %s", badEndpoint(*base), whereEndpoint)
		}
		known[name] = &region{name: name, host: host(base, name), foreign: foreign(base), log: p.opt.Log, client: client}
		return known[name], nil
	}
	home := func() string { return chainRegion(ctx, cfg) }
	if p.identity, err = placeKey(identityRole, p.opt.KeyID, p.opt.Regions, find, home); err != nil ||
		p.opt.DerivationKeyID == "" {
		return err
	}
	home = func() string { return p.identity.replicas[0].region.name }
	p.derivation, err = placeKey(derivationRole, p.opt.DerivationKeyID, p.opt.Regions, find, home)
	return err
}

// placeKey says in which regions a key is: those of the configuration, else that
// of its ARN, else home.
func placeKey(
	r *role, configured string, regions []string, find func(string) (*region, error), home func() string,
) (*key, error) {
	name, err := parseKeyName(configured)
	if err != nil {
		return nil, fmt.Errorf("%s %w", r.setting, err)
	}
	k := &key{role: r, configured: configured, name: name}
	if len(regions) == 0 && name.region != "" {
		regions = []string{name.region}
	}
	if len(regions) == 0 {
		regions = []string{home()}
	}
	for _, to := range regions {
		if to == "" {
			return nil, fmt.Errorf("%s %s names no region, and neither do the AWS configuration and this machine: "+
				"write its ARN (arn:aws:kms:REGION:ACCOUNT:alias/NAME), or regions = [\"REGION\"], or set AWS_REGION",
				r.setting, configured)
		}
		if name.region != "" && name.region != to && !name.alias() && !name.multiRegion() {
			return nil, k.fault(keyprovider.WrongKey, describeKey, fmt.Sprintf("regions has %s, and this key is in %s alone, "+
				"as it is no multi-Region key (mrk-): correct regions or leave it out", to, name.region), nil)
		}
		at, err := find(to)
		if err != nil {
			return nil, err
		}
		k.replicas = append(k.replicas, &replica{key: k, region: at, id: name.in(to).String()})
	}
	return k, nil
}

// found is what one region said of a key.
type found struct {
	id  string    // ARN, where it told one
	mac *[32]byte // where that was the proof
}

// locate asks every region for a key and keeps to what they name. A region
// that is out of reach is left for later, with the name that the others gave.
func (p *Provider) locate(ctx context.Context, k *key, look func(context.Context, *replica) (found, error)) error {
	results, errs := everywhere(ctx, p, k, look)
	var first *replica // that answered
	var proof *[32]byte
	for i, at := range k.replicas {
		if err := errs[i]; err != nil && (ctx.Err() != nil || !keyprovider.ReasonOf(err).Temporary()) {
			return err
		} else if err != nil {
			continue
		}
		at.id = results[i].id
		if first == nil {
			first, proof = at, results[i].mac
			continue
		}
		if err := k.agree(first, at); err != nil {
			return err
		}
		if mac := results[i].mac; proof != nil && mac != nil && *proof != *mac {
			return k.otherKey(first, at, generateMac)
		}
	}
	if first == nil {
		return errs[0]
	}
	for i, at := range k.replicas {
		if errs[i] == nil {
			continue
		}
		p.opt.Log.Warn("KMS region not reached: its copy of the key is not checked",
			"region", at.region.name, "key", k.configured, "error", errs[i])
		at.region.fails(string(keyprovider.ReasonOf(errs[i])))
		if name, err := parseKeyName(first.id); err == nil {
			at.id = name.in(at.region.name).String()
		}
	}
	return nil
}
