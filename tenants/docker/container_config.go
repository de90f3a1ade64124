package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"chatiere/tenants"
)

// containerConfig is a container's configuration in the engine's own JSON, so that nothing is lost.
type containerConfig struct {
	ImageID    string
	Config     *container.Config
	HostConfig *container.HostConfig
	Networks   map[string]networkJoin // by name
}

// networkJoin is how a container joins a network, and how to recreate the network.
type networkJoin struct {
	Aliases []string
	IPAM    *network.EndpointIPAMConfig
	Network network.CreateOptions
}

// ContainerConfig returns the configuration of a container of our instance, for CreateFromConfig.
func (e *Engine) ContainerConfig(ctx context.Context, name string) (json.RawMessage, error) {
	raw, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return nil, translate("inspecting container "+name, err)
	}
	r := containerConfig{ImageID: raw.Image, Config: raw.Config, HostConfig: raw.HostConfig, Networks: map[string]networkJoin{}}
	if strings.HasPrefix(raw.ID, r.Config.Hostname) {
		r.Config.Hostname = "" // the engine's own choice, from the container's id
	}
	r.HostConfig.ContainerIDFile = ""
	for network, end := range raw.NetworkSettings.Networks {
		if network == "none" || network == "host" {
			continue
		}
		if r.Networks[network], err = e.join(ctx, network, end, raw.ID); err != nil {
			return nil, err
		}
	}
	return json.Marshal(r)
}

func (e *Engine) join(ctx context.Context, name string, end *network.EndpointSettings, id string) (networkJoin, error) {
	// The engine adds the container's short id to the aliases by itself.
	aliases := slices.DeleteFunc(slices.Clone(end.Aliases), func(a string) bool { return strings.HasPrefix(id, a) })
	slices.Sort(aliases)
	j := networkJoin{Aliases: aliases, IPAM: end.IPAMConfig}
	found, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
	if err != nil {
		return j, translate("inspecting network "+name, err)
	}
	ipam := found.IPAM
	ipam.Config = nil // addresses were the engine's choice, and may have been given to another network since
	j.Network = network.CreateOptions{
		Driver: found.Driver, Scope: found.Scope, IPAM: &ipam, Internal: found.Internal, Attachable: found.Attachable,
		Options: found.Options, Labels: found.Labels,
	}
	return j, nil
}

func decode(raw json.RawMessage) (containerConfig, error) {
	var r containerConfig
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&r); err != nil {
		return r, fmt.Errorf("reading how a container is made: %w: %w", tenants.ErrInvalid, err)
	}
	if r.Config == nil || r.HostConfig == nil {
		return r, fmt.Errorf("reading how a container is made: it lacks a part: %w", tenants.ErrInvalid)
	}
	return r, nil
}

// ConfigLabels returns the labels of a configuration.
func (e *Engine) ConfigLabels(raw json.RawMessage) (map[string]string, error) {
	r, err := decode(raw)
	return r.Config.Labels, err
}

// CreateFromConfig makes a container from a configuration, with its missing networks, and does not start it. ErrConflict when
// the name is taken, ErrNotFound when the image is gone.
func (e *Engine) CreateFromConfig(ctx context.Context, name string, raw json.RawMessage) error {
	r, err := decode(raw)
	if err != nil {
		return err
	}
	if r.Config.Labels[tenants.LabelInstance] != e.instance {
		return fmt.Errorf("making container %s: it is not one of instance %q: %w", name, e.instance, tenants.ErrInvalid)
	}
	for network, j := range r.Networks {
		if err := e.ensureNetwork(ctx, network, j); err != nil {
			return err
		}
	}
	if err := e.pin(ctx, &r); err != nil {
		return err
	}
	first, rest := r.endpoints()
	_, err = e.api.ContainerCreate(ctx, r.Config, r.HostConfig, &network.NetworkingConfig{EndpointsConfig: first}, nil, name)
	if err != nil {
		return translate("making container "+name, err)
	}
	for network, end := range rest {
		if err := e.api.NetworkConnect(ctx, network, name, end); err != nil {
			return translate("joining container "+name+" to network "+network, err)
		}
	}
	return nil
}

// pin keeps the image's reference, which others compare, as long as it still means the same image.
func (e *Engine) pin(ctx context.Context, r *containerConfig) error {
	id, err := e.ImageID(ctx, r.Config.Image)
	if err == nil && id == r.ImageID {
		return nil
	}
	if err != nil && !errors.Is(err, tenants.ErrNotFound) {
		return err
	}
	if _, err := e.ImageID(ctx, r.ImageID); err != nil {
		return err
	}
	r.Config.Image = r.ImageID
	return nil
}

// endpoints parts the networks: older engines take only one when the container is made.
func (r containerConfig) endpoints() (first, rest map[string]*network.EndpointSettings) {
	first, rest = map[string]*network.EndpointSettings{}, map[string]*network.EndpointSettings{}
	for name, j := range r.Networks {
		into := rest
		if name == string(r.HostConfig.NetworkMode) {
			into = first
		}
		into[name] = &network.EndpointSettings{Aliases: j.Aliases, IPAMConfig: j.IPAM}
	}
	return first, rest
}

func (e *Engine) ensureNetwork(ctx context.Context, name string, j networkJoin) error {
	_, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
	if err = translate("inspecting network "+name, err); !errors.Is(err, tenants.ErrNotFound) {
		return err
	}
	_, err = e.api.NetworkCreate(ctx, name, j.Network)
	return translate("making network "+name, err)
}

// ConfigDrift returns the settings in which two configurations differ, by the engine's names.
func (e *Engine) ConfigDrift(a, b json.RawMessage) ([]string, error) {
	one, err := decode(a)
	if err != nil {
		return nil, err
	}
	other, err := decode(b)
	if err != nil {
		return nil, err
	}
	var out []string
	if one.ImageID != other.ImageID {
		out = append(out, "Image")
	}
	sort.Strings(one.Config.Env)
	sort.Strings(other.Config.Env)
	sort.Strings(one.HostConfig.Binds)
	sort.Strings(other.HostConfig.Binds)
	for _, r := range []containerConfig{one, other} {
		plainCapabilities(r.HostConfig.CapAdd)
		plainCapabilities(r.HostConfig.CapDrop)
	}
	for _, pair := range [][2]any{{one.Config, other.Config}, {one.HostConfig, other.HostConfig}} {
		x, err := fields(pair[0])
		if err != nil {
			return nil, err
		}
		y, err := fields(pair[1])
		if err != nil {
			return nil, err
		}
		out = append(out, unequal(x, y, []string{"Image", "Hostname", "ConsoleSize"})...)
	}
	if !reflect.DeepEqual(one.aliases(), other.aliases()) {
		out = append(out, "Networks")
	}
	sort.Strings(out)
	return out, nil
}

// plainCapabilities writes them in one of the two ways that engines know.
func plainCapabilities(names []string) {
	for i, n := range names {
		names[i] = strings.TrimPrefix(strings.ToUpper(n), "CAP_")
	}
	sort.Strings(names)
}

func (r containerConfig) aliases() map[string]string {
	out := map[string]string{}
	for name, j := range r.Networks {
		out[name] = strings.Join(j.Aliases, " ")
	}
	return out
}
