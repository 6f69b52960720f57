package awskms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// avoidTime is how long a region that failed is not the first to be asked.
const avoidTime = 30 * time.Second

// A region is one endpoint of KMS.
type region struct {
	name, host string
	foreign    bool // the endpoint is not AWS's own, but configured
	client     *kms.Client
	log        *slog.Logger

	until atomic.Pointer[time.Time] // avoided until then; nil while it works
}

// A key is one that the operator configured.
type key struct {
	role       *role
	configured string // as the operator wrote it
	name       keyName
	replicas   []*replica // in order of preference, never empty
}

// A replica is a key in one region.
type replica struct {
	key    *key
	region *region
	id     string // ARN once KMS told it
}

// fails notes that a region is to be avoided, and says so once.
func (r *region) fails(why string) {
	until := time.Now().Add(avoidTime)
	if r.until.Swap(&until) == nil {
		r.log.Warn("KMS region fails: the next one is asked first", "region", r.name, "reason", why, "for", avoidTime)
	}
}

// works notes that it answered.
func (r *region) works() {
	if r.until.Swap(nil) != nil {
		r.log.Info("KMS region works again", "region", r.name)
	}
}

func (r *region) avoided(now time.Time) bool {
	until := r.until.Load()
	return until != nil && now.Before(*until)
}

// reach bounds what is asked of one region of a key, if there are others.
func (p *Provider) reach(ctx context.Context, k *key) (context.Context, context.CancelFunc) {
	if len(k.replicas) == 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, p.opt.reach)
}

// everywhere asks all regions of a key, at once.
func everywhere[T any](ctx context.Context, p *Provider, k *key,
	call func(context.Context, *replica) (T, error)) ([]T, []error) {
	out, errs := make([]T, len(k.replicas)), make([]error, len(k.replicas))
	var all sync.WaitGroup
	for i, at := range k.replicas {
		all.Go(func() {
			ctx, cancel := p.reach(ctx, k)
			defer cancel()
			out[i], errs[i] = call(ctx, at)
		})
	}
	all.Wait()
	return out, errs
}

// ask returns the first good answer, from the preferred region that does not
// fail. The package comment says when which region is asked.
func ask[T any](ctx context.Context, p *Provider, replicas []*replica,
	call func(context.Context, *replica) (T, error)) (T, error) {
	if len(replicas) == 1 {
		return call(ctx, replicas[0])
	}
	now := time.Now()
	var order, avoided []*replica
	for _, at := range replicas {
		if at.region.avoided(now) {
			avoided = append(avoided, at)
		} else {
			order = append(order, at)
		}
	}
	order = append(order, avoided...)
	return askInOrder(ctx, p, replicas[0], order, call)
}

// askInOrder asks the replicas one after the other. The refusal of the first
// region of the configuration is final.
func askInOrder[T any](ctx context.Context, p *Provider, first *replica, order []*replica,
	call func(context.Context, *replica) (T, error)) (T, error) {
	if len(order) == 1 {
		return call(ctx, order[0])
	}
	callCtx, cancel := context.WithCancel(ctx)
	defer cancel() // whoever lost the race
	r := race[T]{first: first, answers: make(chan answer[T], len(order)), waiting: order}
	start := func() {
		at := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.running = append(r.running, at)
		p.calls.Go(func() {
			out, err := call(callCtx, at)
			r.answers <- answer[T]{at, out, err}
		})
	}
	start()
	hedge := time.NewTicker(p.opt.HedgeAfter.Duration)
	defer hedge.Stop()
	for {
		select {
		case a := <-r.answers:
			done, next := r.take(ctx, a)
			switch {
			case a.err == nil:
				return a.out, nil
			case done:
				return a.out, r.err()
			case next:
				start()
				hedge.Reset(p.opt.HedgeAfter.Duration)
			}
		case <-hedge.C:
			if len(r.waiting) > 0 {
				start()
			}
		}
	}
}

type answer[T any] struct {
	at  *replica
	out T
	err error
}

// race is one call to several regions.
type race[T any] struct {
	first            *replica // in the configuration
	answers          chan answer[T]
	waiting, running []*replica  // not asked yet; asked, in that order
	failed           []answer[T] // in that order
}

// take notes an answer. It reports whether the race is over, and if not, whether
// another region is to be asked at once.
func (r *race[T]) take(ctx context.Context, a answer[T]) (done, next bool) {
	mine := slices.Index(r.running, a.at)
	if a.err == nil {
		a.at.region.works()
		for _, slow := range r.running[:mine] {
			slow.region.fails("slow")
		}
		return true, false
	}
	r.running = slices.Delete(r.running, mine, mine+1)
	r.failed = append(r.failed, a)
	reason := keyprovider.ReasonOf(a.err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return true, false // says nothing about a region
	case a.at == r.first && !reason.Temporary():
		return true, false
	}
	a.at.region.fails(string(reason))
	if ctx.Err() != nil { // no time left
		for _, hanging := range r.running {
			hanging.region.fails(string(keyprovider.Timeout))
		}
		return true, false
	}
	next = len(r.waiting) > 0
	return !next && len(r.running) == 0, next
}

// err is the failure that counts, with the others behind it: the end of the
// context, that of the first region, one that may pass, the first to come.
func (r *race[T]) err() error {
	rank := func(a answer[T]) int {
		switch reason := keyprovider.ReasonOf(a.err); {
		case reason == keyprovider.Canceled:
			return 0
		case a.at == r.first:
			return 1
		case reason.Temporary():
			return 2
		}
		return 3
	}
	slices.SortStableFunc(r.failed, func(a, b answer[T]) int { return rank(a) - rank(b) })
	var e *keyprovider.Error
	if !errors.As(r.failed[0].err, &e) {
		return r.failed[0].err
	}
	told := *e
	for _, other := range r.failed[1:] {
		if errors.As(other.err, &e) {
			told.Err = fmt.Errorf("%w; also %s: %v", told.Err, e.Reason, e.Err)
		}
	}
	return &told
}
