// What a board of initiatives asks, typed by what codegen made of the schema.
import { graphql } from '../gql/index.js';

export const Card = graphql(`
  fragment Card on Initiative {
    id
    name
    stage
    version
    budget
    start
    roleImpacts(first: 2) {
      totalCount
      nodes {
        kind
        role {
          name
        }
      }
    }
  }
`);

export const Board = graphql(`
  query Board($first: Int!, $after: String, $filter: InitiativeFilter) {
    initiatives(first: $first, after: $after, filter: $filter, orderBy: [{ field: NAME }]) {
      totalCount
      nodes {
        ...Card
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const Rename = graphql(`
  mutation Rename($input: UpdateInitiativeInput!) {
    updateInitiative(input: $input) {
      initiative {
        ...Card
      }
      userErrors {
        __typename
        code
        message
        path
        ... on VersionConflict {
          currentVersion
          fields
        }
      }
      stale
    }
  }
`);

export const Watch = graphql(`
  subscription Watch($id: ID!) {
    initiative(id: $id) {
      ...Card
    }
  }
`);
