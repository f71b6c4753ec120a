// Checker says what an API server would say of objects that are created: a stream of YAML comes in on
// stdin, a line for each problem goes out. Arguments are files with the definitions of custom resources.
// It exits with 1 where there are problems, with 2 where it cannot look.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"sigs.k8s.io/yaml"
)

const namespace = "metering"

func main() {
	problems, err := run(os.Args[1:], os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, problem := range problems {
		// A message of several lines is one problem.
		fmt.Println(strings.Join(strings.Fields(problem), " "))
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func run(definitions []string, stream io.Reader) ([]string, error) {
	custom, err := readDefinitions(definitions)
	if err != nil {
		return nil, err
	}
	var problems []string
	seen := map[string]bool{}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(stream))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return problems, nil
		}
		if err != nil {
			return nil, err
		}
		var content map[string]any
		if err := yaml.Unmarshal(document, &content); err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if len(content) == 0 {
			continue
		}
		object := &unstructured.Unstructured{Object: content}
		name := object.GetKind() + " " + object.GetName()
		if seen[name] {
			problems = append(problems, name+": is there twice")
		}
		seen[name] = true
		for _, problem := range check(document, object.GroupVersionKind(), custom) {
			problems = append(problems, name+": "+problem)
		}
	}
}

// check says what is wrong with one object.
func check(document []byte, kind schema.GroupVersionKind, custom map[schema.GroupVersionKind]*definition) []string {
	if definition, ok := custom[kind]; ok {
		return definition.check(document)
	}
	return checkBuiltIn(document, kind)
}

// create goes through what an API server does with a new object: it prepares, validates and warns.
func create(object runtime.Object, kind schema.GroupVersionKind, strategy rest.RESTCreateStrategy) []string {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return []string{err.Error()}
	}
	accessor.SetNamespace(namespace)
	rest.FillObjectMetaSystemFields(accessor)
	warnings := &recorder{}
	context := request.WithNamespace(context.Background(), namespace)
	context = request.WithRequestInfo(context, &request.RequestInfo{
		Verb: "create", APIGroup: kind.Group, APIVersion: kind.Version, IsResourceRequest: true,
	})
	context = warning.WithWarningRecorder(context, warnings)
	if err := rest.BeforeCreate(strategy, context, object); err != nil {
		return append(warnings.texts, err.Error())
	}
	return warnings.texts
}

type recorder struct{ texts []string }

func (r *recorder) AddWarning(_, text string) { r.texts = append(r.texts, text) }
