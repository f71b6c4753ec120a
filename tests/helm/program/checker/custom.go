package main

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/yaml"
)

// definition is one version of a custom resource.
type definition struct {
	kind       schema.GroupVersionKind
	structural *structuralschema.Structural
	strategy   rest.RESTCreateStrategy
}

func readDefinitions(files []string) (map[schema.GroupVersionKind]*definition, error) {
	found := map[schema.GroupVersionKind]*definition{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var resource apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &resource); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, version := range resource.Spec.Versions {
			kind := schema.GroupVersionKind{
				Group: resource.Spec.Group, Version: version.Name, Kind: resource.Spec.Names.Kind,
			}
			made, err := define(kind, version)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			found[kind] = made
		}
	}
	return found, nil
}

func define(kind schema.GroupVersionKind, version apiextensionsv1.CustomResourceDefinitionVersion) (*definition, error) {
	var given apiextensions.CustomResourceValidation
	err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		version.Schema, &given, nil)
	if err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(given.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(given.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	strategy := customresource.NewStrategy(typer{kind}, true, kind, validator, nil, structural, nil, nil, nil)
	return &definition{kind, structural, strategy}, nil
}

// typer knows the kind of objects that no Go type stands for.
type typer struct{ kind schema.GroupVersionKind }

func (t typer) ObjectKinds(runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	return []schema.GroupVersionKind{t.kind}, false, nil
}

func (t typer) Recognizes(kind schema.GroupVersionKind) bool { return kind == t.kind }

func (d *definition) check(document []byte) []string {
	// Strict: a field that is there twice is a mistake.
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return []string{err.Error()}
	}
	var content map[string]any
	// With whole numbers as such, as the API server reads them.
	if err := json.Unmarshal(text, &content); err != nil {
		return []string{err.Error()}
	}
	object := &unstructured.Unstructured{Object: content}
	unknown := pruning.PruneWithOptions(
		object.Object, d.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.Default(object.Object, d.structural)
	problems := create(object, d.kind, d.strategy)
	if len(unknown) > 0 {
		problems = append(problems, "unknown fields: "+strings.Join(unknown, ", "))
	}
	return problems
}
