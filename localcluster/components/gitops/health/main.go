// Command health judges objects as GitOps tools do: by kstatus itself, by
// Flux's evaluator of healthCheckExprs, and by a health script in Lua under
// Argo CD's conventions. It reads one JSON document from standard input and
// writes one verdict per object to standard output.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type input struct {
	Lua   string
	Flux  []kustomize.CustomHealthCheck
	Items []unstructured.Unstructured
}

type verdict struct {
	Kstatus string `json:"kstatus"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
	Flux    string `json:"flux"`
}

func main() {
	if err := judge(); err != nil {
		fmt.Fprintln(os.Stderr, "health:", err)
		os.Exit(2)
	}
}

func judge() error {
	var given input
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	verdicts := []verdict{}
	for i := range given.Items {
		one, err := judgeOne(&given, &given.Items[i])
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		verdicts = append(verdicts, one)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judgeOne(given *input, object *unstructured.Unstructured) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	argo, message, err := byLua(given.Lua, object.Object)
	if err != nil {
		return verdict{}, fmt.Errorf("lua: %w", err)
	}
	flux, err := byFlux(given.Flux, object)
	if err != nil {
		return verdict{}, fmt.Errorf("healthCheckExprs: %w", err)
	}
	return verdict{Kstatus: string(computed.Status), Argo: argo, Message: message, Flux: flux}, nil
}

func byFlux(checks []kustomize.CustomHealthCheck, object *unstructured.Unstructured) (string, error) {
	for i := range checks {
		if checks[i].APIVersion != object.GetAPIVersion() || checks[i].Kind != object.GetKind() {
			continue
		}
		evaluator, err := cel.NewStatusEvaluator(&checks[i].HealthCheckExpressions)
		if err != nil {
			return "", err
		}
		result, err := evaluator.Evaluate(context.Background(), object)
		if err != nil {
			return "", err
		}
		return string(result.Status), nil
	}
	return "", fmt.Errorf("no entry for %s %s", object.GetAPIVersion(), object.GetKind())
}

// byLua runs the script with the object as the global obj and reads status and
// message of the table it returns. Argo CD opens the same few libraries.
func byLua(script string, object map[string]any) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString},
	} {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message")), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	default:
		return lua.LNil
	}
}
