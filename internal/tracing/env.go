package tracing

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// settings are what the environment says, by OpenTelemetry's own names. The SDK and
// its exporter read most of it themselves; what they would pass over is an error
// here (exporter.go): a collector that gets nothing because of a typing error is
// found at the start.
type settings struct {
	on            bool
	sampler, root sdk.Sampler // of all spans; of those without a parent
}

const (
	envDisabled = "OTEL_SDK_DISABLED"
	envExporter = "OTEL_TRACES_EXPORTER"
	envSampler  = "OTEL_TRACES_SAMPLER"
	envArgument = "OTEL_TRACES_SAMPLER_ARG"
)

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

func readEnv() (cfg settings, err error) {
	endpoint, _ := exporterEnv("ENDPOINT")
	exporter := strings.ToLower(env(envExporter))
	if endpoint == "" || exporter == "none" || strings.EqualFold(env(envDisabled), "true") {
		return cfg, nil
	}
	cfg.on = true
	var errs [3]error
	if exporter != "" && exporter != "otlp" {
		errs[0] = fmt.Errorf("%s=%s: use otlp or none", envExporter, clip(exporter, 40))
	}
	errs[1] = checkExporter()
	cfg.sampler, cfg.root, errs[2] = sampler(strings.ToLower(env(envSampler)), env(envArgument))
	if err := errors.Join(errs[:]...); err != nil {
		return settings{}, fmt.Errorf("tracing: %w", err)
	}
	return cfg, nil
}

// sampler is OTEL_TRACES_SAMPLER as OpenTelemetry defines it. With the default,
// and all that begin with parentbased, whoever sends a job with a traceparent
// decides whether it is sampled; with the others the fleet does.
func sampler(name, argument string) (all, root sdk.Sampler, err error) {
	kind, parentBased := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	switch kind {
	case "always_on":
		root = sdk.AlwaysSample()
	case "always_off":
		root = sdk.NeverSample()
	case "traceidratio":
		ratio, err := strconv.ParseFloat(cmp.Or(argument, "1"), 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, nil, fmt.Errorf("%s=%s: use a share of all traces between 0 and 1", envArgument, clip(argument, 40))
		}
		root = sdk.TraceIDRatioBased(ratio)
	default:
		return nil, nil, fmt.Errorf("%s=%s: use always_on, always_off or traceidratio, with or without parentbased_ before it", envSampler, clip(name, 40))
	}
	if parentBased {
		return sdk.ParentBased(root), root, nil
	}
	return root, root, nil
}
