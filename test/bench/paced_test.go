package bench_test

import (
	"context"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/loadgen"
)

// benchPaced takes the time of benchLoaded's single signatures without bulk work beside them: what is in both figures
// is not the bulk work's doing.
func (s *side) benchPaced(b *testing.B) {
	keys, user := s.keysOf(b, "bitcoin"), s.Client()
	sign := func(ctx context.Context, i int) (int, error) {
		_, err := user.Sign(ctx, client.SignRequest{Items: items(keys[i%1000:], 1)})
		return 1, err
	}
	r, err := loadgen.Run(b.Context(), loadgen.Load{Rate: singleRate, Duration: loadedTime, Do: sign})
	if err != nil || r.Done != r.Started || r.Unstarted > 0 {
		b.Fatalf("not everything was done: %+v, %v", r, err)
	}
	results.Record("paced_sign_p50_ms", r.Latency.P50, "ms", "")
	results.Record("paced_sign_p99_ms", r.Latency.P99, "ms", "")
}
