package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/httpapi"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/webhook"
)

// startWebhooks tells receivers of jobs until the program stops, and returns what it takes anew
// when the gateway's file or a secret changes.
func (h *httpPart) startWebhooks(ctx context.Context, known httpapi.Directory, hooks []webhook.Config) []reload.Thing {
	observe := h.p.metrics.Webhooks()
	w := webhook.New(webhook.Options{
		Gateway: h.p.name, Manifest: h.p.manifest, Access: h.gw.Access, Bus: h.p.conn, Job: known.Job,
		Render: httpapi.JobBody, Version: command.Version(), Log: h.p.Log, Observe: observe,
	})
	h.p.metrics.WebhooksOldest(w.Oldest)
	set := func(hooks []webhook.Config) {
		for _, c := range hooks {
			observe.Know(c.Name, webhook.Outcomes)
		}
		w.Set(hooks)
	}
	set(hooks)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	h.p.ends = append(h.p.ends, func() { cancel(); <-done })
	if h.g.HTTPGiven() {
		return nil
	}
	return []reload.Thing{h.webhooksFile(set, hooks)}
}

// webhooksFile is the gateway's own file, for webhooks, and the files of their secrets.
func (h *httpPart) webhooksFile(set func([]webhook.Config), current []webhook.Config) reload.Thing {
	files := secretFiles(&h.g.HTTP)
	return reload.Thing{
		Name: "webhooks", Files: []secret.File{h.g.File()}, Also: func() []secret.File { return files },
		Take: func(texts [][]byte) (t reload.Taken, err error) {
			next, err := config.GatewayOf(h.g.Path(), texts[0])
			if err != nil {
				return t, err
			}
			if !next.HTTPOn() {
				return t, errors.New("the section [http] is gone: a restart ends the HTTP API")
			}
			files = secretFiles(&next.HTTP)
			hooks, err := LoadWebhooks(&next.HTTP)
			if err != nil {
				return t, err
			}
			if t.Changed = webhookChanges(current, hooks); len(t.Changed) > 0 {
				set(hooks)
				current = hooks
			}
			return t, nil
		},
	}
}

func secretFiles(h *config.HTTP) (files []secret.File) {
	for _, w := range h.Webhooks {
		files = append(files, secretFile(w))
	}
	return files
}

func secretFile(w config.HTTPWebhook) secret.File {
	return secret.File{What: "secret_file of webhook " + w.Name, Path: w.SecretFile, Max: webhook.MaxSecretFile}
}

// LoadWebhooks reads the secrets of a section's webhooks.
func LoadWebhooks(h *config.HTTP) (hooks []webhook.Config, err error) {
	for _, w := range h.Webhooks {
		text, err := secretFile(w).Text()
		if err != nil {
			return nil, err
		}
		secrets, err := webhook.ParseSecrets(text.Expose())
		text.Wipe()
		if err != nil {
			return nil, fmt.Errorf("secret_file %s of webhook %s: %w", w.SecretFile, w.Name, err)
		}
		c := webhook.Config{Name: w.Name, Client: w.Client, URL: w.URL, Secrets: secrets}
		for _, event := range w.Events {
			c.Events = append(c.Events, webhook.Event(event))
		}
		hooks = append(hooks, c)
	}
	return hooks, nil
}

// webhookChanges says how a list differs from another one, by name; of URLs and secrets, that
// they do.
func webhookChanges(before, after []webhook.Config) (changes []string) {
	find := func(all []webhook.Config, name string) *webhook.Config {
		if i := slices.IndexFunc(all, func(c webhook.Config) bool { return c.Name == name }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	for _, c := range after {
		switch old := find(before, c.Name); {
		case old == nil:
			changes = append(changes, "webhook "+c.Name+" is new")
		case old.Client != c.Client || old.URL != c.URL || !slices.Equal(old.Events, c.Events):
			changes = append(changes, "webhook "+c.Name+" has changed")
		case !slices.EqualFunc(old.Secrets, c.Secrets, bytes.Equal):
			changes = append(changes, "webhook "+c.Name+" has other secrets")
		}
	}
	for _, c := range before {
		if find(after, c.Name) == nil {
			changes = append(changes, "webhook "+c.Name+" is gone")
		}
	}
	return changes
}
